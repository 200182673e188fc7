// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { describeMachine, loadNow } from "../lib/machine.ts";
import { duration, Progress } from "../lib/progress.ts";
import { NumpyPeer } from "../peers/numpyPeer.ts";
import { Readers } from "../peers/readers.ts";
import { openBackends } from "./backends.ts";
import { budgetsOf } from "./budgets.ts";
import { type Results, resultsSchema } from "./results.ts";
import { cellsOf, type RunPlan, runCells, weightOf } from "./run.ts";
import { renderTables, replaceTables } from "./table.ts";
import { KERNELS, RULES } from "./work.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const RESULTS = join(ROOT, "bench", "results", "aggregation.json");
const DOCUMENT = join(ROOT, "docs", "benchmarks.md");

/** Several times the largest caches. */
const READER_BYTES = 400_000_000;

interface Options {
  readonly quick?: boolean;
  readonly only?: readonly string[];
  readonly k: readonly number[];
  readonly d?: readonly number[];
  readonly threads: readonly number[];
  readonly device: "auto" | "cpu" | "gpu";
  readonly softwareGpu?: boolean;
  readonly out?: string;
  readonly render?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  npm run bench -- aggregation                          everything: results, and the tables in docs/benchmarks.md
  npm run bench -- aggregation --quick                  a look, in two or three minutes; the files stay as they are
  npm run bench -- aggregation --only gram --k 20       kernels and rules whose name contains "gram"
  npm run bench -- aggregation --device gpu --d 1e7     the GPU, at one size
  npm run bench -- aggregation --quick --json | jq .    results on the output stream

A full run writes bench/results/aggregation.json and the tables in docs/benchmarks.md that follow from it. One with --quick, --only, --k, --d,
--threads or --device writes nothing unless --out names a file; if it names that file, the tables follow too.`;

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("Write whole numbers, e.g. 20 or 1e6.");
  return value;
}
const wholes = (text: string): number[] => text.split(",").map(whole);

function sizes(text: string): number[] {
  const values = wholes(text);
  if (values.some((d) => d % 100_000 !== 0 || (d > 1_000_000 && d % 1_000_000 !== 0)))
    throw new InvalidArgumentError("Write multiples of 1e5, and of 1e6 above that: data is swept in chunks of 1e6.");
  return values;
}

export function aggregationCommand(): Command {
  return new Command("aggregation")
    .description("Exact aggregation: kernels and rules beside the machine's bandwidth, numpy and plain JavaScript.")
    .option("--quick", "fewer runs, K = 20 and 100, d = 1e5 and 1e6; writes no file")
    .option("--only <names>", "kernels and rules whose names contain one of these, separated by commas", (text) =>
      text.toLowerCase().split(","),
    )
    .option("--k <numbers>", "numbers of updates", wholes, [20, 100])
    .option("--d <numbers>", "numbers of coordinates (default: 1e5,1e6,1e7; with --quick 1e5,1e6)", sizes)
    .option("--threads <numbers>", "thread counts of the cpu backend, of readers and of BLAS", wholes, [1, 2])
    .addOption(new Option("--device <device>", "fast backends").choices(["auto", "cpu", "gpu"]).default("auto"))
    .option("--software-gpu", "take a GPU that is a program on the CPU; its rows say nothing about GPUs")
    .option("--out <file>", "write the results here instead")
    .option("--render", "measure nothing: make the tables anew from the results that are there")
    .option("--json", "print the results as JSON instead of the tables")
    .addHelpText("after", EXAMPLES)
    .action(async (options: Options, command: Command) => {
      if (options.render === true) return writeTables(resultsSchema.parse(JSON.parse(readFileSync(RESULTS, "utf8"))));
      process.exitCode = await run(options, isFull(command));
    });
}

/** Whether what is measured is what the document shows. */
function isFull(command: Command): boolean {
  return ["quick", "only", "k", "d", "threads", "device", "softwareGpu", "out"].every((name) => {
    const source = command.getOptionValueSource(name);
    return source === undefined || source === "default";
  });
}

const chosen = <T extends { readonly name: string }>(all: readonly T[], only: readonly string[] | undefined): T[] =>
  all.filter(({ name }) => only === undefined || only.some((part) => name.toLowerCase().includes(part)));

async function run(options: Options, full: boolean): Promise<number> {
  const { quick = false, only, k, threads, device, softwareGpu = false, out, json = false } = options;
  const kernels = chosen(KERNELS, only);
  const rules = chosen(RULES, only);
  if (kernels.length + rules.length === 0) {
    console.error(`Nothing is called like that. Names: ${[...KERNELS, ...RULES].map(({ name }) => name).join("; ")}.`);
    return 2;
  }
  const tooMany = threads.filter((count) => count > availableParallelism());
  if (tooMany.length > 0)
    console.error(`There are ${availableParallelism()} cores; ${tooMany} threads will wait for each other.`);
  const loadBefore = loadNow();
  const startedAt = performance.now();
  const { backends, gpu, missing } = await openBackends({ threads, device, softwareGpu });
  for (const reason of missing) console.error(reason);
  if (device !== "auto" && !backends.some(({ name }) => name === device)) return 1;
  const numpy = await NumpyPeer.open();
  if (numpy === undefined)
    console.error("numpy is absent, so nothing is compared with it: apt-get install python3-numpy");
  const readers = await Readers.open(READER_BYTES, Math.max(...threads));
  const plan: RunPlan = {
    backends,
    numpy,
    readers,
    gpuCopy: gpu?.copy,
    threads,
    kernels,
    rules,
    ks: k,
    ds: options.d ?? (quick ? [100_000, 1_000_000] : [100_000, 1_000_000, 10_000_000]),
    repeats: quick ? 3 : 7,
    patience: quick
      ? { backends: { totalMs: 600, singleMs: 2_000 }, peers: { totalMs: 300, singleMs: 1_000 } }
      : { backends: { totalMs: 3_000, singleMs: 8_000 }, peers: { totalMs: 1_000, singleMs: 2_500 } },
  };
  const progress = new Progress(cellsOf(plan).reduce((sum, cell) => sum + weightOf(cell), 0));
  try {
    const measurements = await runCells(plan, progress);
    progress.finish();
    const results: Results = resultsSchema.parse({
      date: new Date().toISOString(),
      quick,
      repeats: plan.repeats,
      machine: describeMachine(gpu?.name ?? null, loadBefore),
      numpy: numpy?.versions ?? null,
      ...measurements,
      missing: [...missing, ...(numpy === undefined ? ["numpy is absent."] : []), ...measurements.missing],
    });
    write(results, full, out);
    console.log(json ? JSON.stringify(results, undefined, 1) : renderTables(results));
    const unmet = budgetsOf(results).filter(({ cells, met }) => met < cells).length;
    console.error(`${duration(performance.now() - startedAt)}; budgets not met everywhere: ${unmet}.`);
    return 0;
  } finally {
    await numpy?.close();
    await readers.close();
    gpu?.copy.close();
    for (const { kernels: opened } of backends) await opened.close();
  }
}

/** One line per entry: readable, and small in a diff. */
export function formatResults(results: Results): string {
  const fields = Object.entries(results).map(([name, value]) => {
    const text =
      Array.isArray(value) && value.length > 0
        ? `[\n${value.map((entry) => `  ${JSON.stringify(entry)}`).join(",\n")}\n ]`
        : JSON.stringify(value);
    return ` ${JSON.stringify(name)}: ${text}`;
  });
  return `{\n${fields.join(",\n")}\n}\n`;
}

function write(results: Results, full: boolean, out: string | undefined): void {
  const file = out === undefined ? RESULTS : resolve(out);
  if (!full && out === undefined) {
    console.error("Not a full run: bench/results and docs/benchmarks.md stay as they are (--out writes a file).");
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, formatResults(results));
  console.error(`Wrote ${file}.`);
  if (file === RESULTS) writeTables(results);
}

function writeTables(results: Results): void {
  writeFileSync(DOCUMENT, replaceTables(readFileSync(DOCUMENT, "utf8"), results));
  console.error(`Wrote ${DOCUMENT}.`);
}
