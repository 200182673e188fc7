// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { formatResults } from "../lib/formatResults.ts";
import { describeMachine, loadNow } from "../lib/machine.ts";
import { TorchPeer, type TorchVersions } from "../peers/torchPeer.ts";
import { openEngines } from "./engines.ts";
import { BATCH, MODELS } from "./models.ts";
import { type Results, type Row, renderTable, resultsSchema } from "./results.ts";
import { measureModel } from "./run.ts";

const RESULTS = join(import.meta.dirname, "..", "results", "learning.json");

const MOST_THREADS = 256;

interface Options {
  readonly quick?: boolean;
  readonly only?: string;
  readonly threads: readonly number[];
  readonly out?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  npm run bench -- learning                       everything, one thread: bench/results/learning.json
  npm run bench -- learning --quick --only lenet  a look at one model; the file stays as it is
  npm run bench -- learning --threads 1,2         thread counts, the same for engines and for PyTorch

Engines and PyTorch (Debian: apt-get install python3-torch libopenblas0-pthread) train in turn, plain SGD, batch ${BATCH}, one fixed batch. What is
absent is left out, and the results say so.`;

export function learningCommand(): Command {
  return new Command("learning")
    .description("Training steps per second of each engine, beside PyTorch on the processor.")
    .option("--quick", "fewer and shorter runs; writes no file")
    .option("--only <text>", "models whose name contains this; writes no file")
    .option("--threads <numbers>", "thread counts, separated by commas", parseThreads, [1])
    .option("--out <file>", "write the results here instead")
    .option("--json", "print the results as JSON instead of a table")
    .addHelpText("after", EXAMPLES)
    .action(run);
}

function parseThreads(text: string): number[] {
  const values = text.split(",").map(Number);
  if (values.some((value) => !Number.isInteger(value) || value < 1 || value > MOST_THREADS))
    throw new InvalidArgumentError(`Write whole numbers from 1 to ${MOST_THREADS}, separated by commas.`);
  return [...new Set(values)];
}

async function run({ quick = false, only, threads, out, json = false }: Options): Promise<void> {
  const models = MODELS.filter(({ name }) => name.includes(only ?? ""));
  const repeats = quick ? 3 : 9;
  const loadBefore = loadNow();
  const rows: Row[] = [];
  const missing: string[] = [];
  const names: Record<string, string> = {};
  let versions: TorchVersions | null = null;
  for (const count of threads) {
    await using resources = new AsyncDisposableStack();
    const torch = await TorchPeer.open(count);
    if (typeof torch === "string") missing.push(`pytorch, so that nothing is compared with it: ${torch}`);
    else {
      resources.defer(() => torch.close());
      versions = torch.versions;
    }
    const opened = await openEngines(count);
    for (const { id, engine } of opened.engines) {
      resources.defer(() => engine.dispose());
      names[id] = engine.name;
    }
    missing.push(...opened.missing);
    for (const model of models) {
      console.error(`${model.name}, threads ${count}`);
      const peer = typeof torch === "string" ? undefined : torch;
      const plan = { engines: opened.engines, torch: peer, threads: count, repeats, runMs: quick ? 100 : 300 };
      const measured = await measureModel(model, plan);
      rows.push(...measured.rows);
      missing.push(...measured.missing);
    }
  }
  const results: Results = resultsSchema.parse({
    date: new Date().toISOString(),
    quick,
    repeats,
    batch: BATCH,
    machine: describeMachine(null, loadBefore),
    torch: versions,
    engines: names,
    rows,
    missing,
  });
  for (const reason of missing) console.error(`not measured: ${reason.split("\n", 1)[0]}`);
  console.log(json ? JSON.stringify(results, undefined, 1) : renderTable(results));
  const file = out !== undefined ? resolve(out) : quick || only !== undefined ? undefined : RESULTS;
  if (file === undefined) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, formatResults(results));
  console.error(`Wrote ${file}.`);
}
