// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Command } from "commander";
import { openCpuKernels } from "../../src/kernels/cpu/cpuKernels.ts";
import { createOnnxNodeEngine } from "../../src/learning/engines/onnxNode.ts";
import { initialiseParameters } from "../../src/learning/layout.ts";
import { type Batch, type LearningEngine, TRAINING } from "../../src/learning/model.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { WideKernels } from "../../src/protocol/wideKernels.ts";
import { defaultDataRoot } from "../../src/simulation/laboratory/dataRoot.ts";
import { cellsOf, parseExperiment } from "../../src/simulation/laboratory/experimentConfig.ts";
import { assemble, type Federation } from "../../src/simulation/laboratory/federation.ts";
import { simulateRound } from "../../src/simulation/laboratory/simulateRound.ts";
import { formatResults } from "../lib/formatResults.ts";
import { describeMachine, loadNow } from "../lib/machine.ts";
import { median, rounded } from "../lib/statistics.ts";
import { CASES, type LaboratoryCase } from "./cases.ts";

const RESULTS = join(import.meta.dirname, "..", "results", "laboratory.json");

interface Options {
  readonly quick?: boolean;
  readonly data?: string;
  readonly out?: string;
  readonly json?: boolean;
}

interface Row {
  readonly case: string;
  readonly members: number;
  readonly rounds: number;
  readonly parameters: number;
  readonly steps: number;
  /** Whole rounds: training, coding, aggregation. */
  readonly seconds: number;
  /** As many bare steps of the engine on one batch that is there already. */
  readonly rawSeconds: number;
  /** Median over the rounds of what a round takes over its bare steps, less 1. */
  readonly overhead: number;
}

/** `npm run bench -- laboratory` */
export function laboratoryCommand(): Command {
  return new Command("laboratory")
    .description("What a simulated round costs beside the training in it.")
    .option("--quick", "fewer rounds; writes no file")
    .option("--data <folder>", "folder with real data sets")
    .option("--out <file>", "write the results here instead")
    .option("--json", "print the results as JSON instead of a table")
    .action(run);
}

async function run({ quick = false, data, out, json = false }: Options): Promise<void> {
  const loadBefore = loadNow();
  const engine = await createOnnxNodeEngine({ threads: 1 });
  const kernels = await openCpuKernels({ threads: 1 });
  const rows: Row[] = [];
  const missing: string[] = [];
  for (const one of CASES) {
    try {
      rows.push(await measure(one, quick, { engine, kernels, dataRoot: data ?? defaultDataRoot() }));
    } catch (error) {
      missing.push(`${one.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  await engine.dispose();
  await kernels.close();
  const results = { date: new Date().toISOString(), quick, machine: describeMachine(null, loadBefore), rows, missing };
  if (!quick || out !== undefined) {
    const path = resolve(out ?? RESULTS);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, formatResults(results));
  }
  if (json) process.stdout.write(`${JSON.stringify(results)}\n`);
  else {
    for (const row of rows)
      process.stdout.write(
        `${row.case}: ${row.seconds} s for ${row.rounds} rounds of ${row.members} members, raw training ${row.rawSeconds} s, ${(100 * row.overhead).toFixed(1)} % on top\n`,
      );
    for (const text of missing) process.stdout.write(`missing: ${text}\n`);
  }
}

interface Tools {
  readonly engine: LearningEngine;
  readonly kernels: WideKernels;
  readonly dataRoot: string;
}

/** Rounds and bare steps in turn, so that whatever else the machine does falls on both; the middle of the pairs counts. */
async function measure({ name, base }: LaboratoryCase, quick: boolean, tools: Tools): Promise<Row> {
  const rounds = quick ? Math.ceil(base.rounds / 10) : base.rounds;
  const experiment = parseExperiment({ name: "bench", title: name, seeds: [1], base: { ...base, rounds } }, name);
  const [cell] = cellsOf(experiment);
  if (cell === undefined || "study" in cell.config) throw new TypeError(`${name} is no federation.`);
  const federation = await assemble(cell.config, 1, tools);
  const raw = await rawSteps(federation);
  const pairs: { round: number; bare: number }[] = [];
  await simulateRound(federation, 1, tools.kernels);
  await raw.run();
  for (let round = 2; round <= rounds + 1; round++) {
    const started = performance.now();
    await simulateRound(federation, round, tools.kernels);
    const between = performance.now();
    await raw.run();
    pairs.push({ round: (between - started) / 1000, bare: (performance.now() - between) / 1000 });
  }
  const seconds = pairs.reduce((sum, pair) => sum + pair.round, 0);
  const overhead = median(pairs.map(({ round, bare }) => round / bare - 1));
  return {
    case: name,
    members: federation.members.length,
    rounds,
    parameters: federation.model.parameterCount,
    steps: raw.steps * rounds,
    seconds: rounded(seconds),
    rawSeconds: rounded(pairs.reduce((sum, { bare }) => sum + bare, 0)),
    overhead: rounded(overhead),
  };
}

/** A round's steps without anything around them: the same number with the same batch sizes, from one batch. */
async function rawSteps({ model, members, config }: Federation): Promise<{ steps: number; run: () => Promise<void> }> {
  const { batchSize, localEpochs = 1, learningRate } = config.training;
  const sizes = members.flatMap(({ shard }) =>
    Array.from({ length: localEpochs }, () => batchesOf(shard.size, batchSize)).flat(),
  );
  const parameters = initialiseParameters(model.config, keyedRandom("bench"));
  const velocity = new Float32Array(parameters.length);
  const { shard } = members[0] as Federation["members"][number];
  const batches = new Map<number, Batch>();
  for (const size of sizes)
    batches.set(size, {
      features: Float32Array.from(
        { length: size * shard.inputs },
        (_, i) => shard.features[i % shard.features.length] as number,
      ),
      labels: Int32Array.from({ length: size }, (_, i) => shard.labels[i % shard.size] as number),
      size,
    });
  const { step } = model;
  if (step === undefined) throw new TypeError("The engine has no fused step to compare with.");
  return {
    steps: sizes.length,
    async run() {
      let state: { parameters: Float32Array; velocity: Float32Array } = { parameters, velocity };
      for (const size of sizes)
        state = await step.call(model, state, batches.get(size) as Batch, { learningRate, momentum: 0 }, TRAINING);
    },
  };
}

function batchesOf(size: number, batch: number): number[] {
  return Array.from({ length: Math.ceil(size / batch) }, (_, i) => Math.min(batch, size - i * batch));
}
