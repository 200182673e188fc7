// SPDX-License-Identifier: Apache-2.0
import { accessSync, constants, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Command, Option } from "commander";
import { z } from "zod";
import { formatResults } from "../lib/formatResults.ts";
import { describeMachine, loadNow } from "../lib/machine.ts";
import { duration, Progress } from "../lib/progress.ts";
import { NumpyPeer } from "../peers/numpyPeer.ts";
import { Readers } from "../peers/readers.ts";
import { idOf, openBackends } from "./backends.ts";
import { budgetsOf } from "./budgets.ts";
import { Checkpoint } from "./checkpoint.ts";
import { chosen, parseCoordinates, parseNames, parseThreads, parseUpdates } from "./options.ts";
import { type Results, resultsSchema } from "./results.ts";
import { cellsOf, nothingYet, type RunPlan, runCells, weightOf } from "./run.ts";
import { renderTables, replaceTables } from "./table.ts";
import { KERNELS, RULES } from "./work.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const RESULTS = join(ROOT, "bench", "results", "aggregation.json");
const DOCUMENT = join(ROOT, "docs", "benchmarks.md");
const CHECKPOINTS = join(ROOT, "build", "bench");

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
  readonly resume?: boolean;
  readonly render?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  npm run bench -- aggregation                           everything: results, and the tables in docs/benchmarks.md
  npm run bench -- aggregation --quick                   a look; the files stay as they are
  npm run bench -- aggregation --only gram --k 20        kernels and rules whose name contains "gram"
  npm run bench -- aggregation --only krum,byzfed        rules are called as in recipes (docs/writing-a-recipe.md)
  npm run bench -- aggregation --device gpu --d 1e7      the GPU, at one size
  npm run -s bench -- aggregation --quick --json | jq .  the results alone on the output stream

A full run writes bench/results/aggregation.json and the tables in docs/benchmarks.md that follow from it. One with --quick, --only, --k, --d,
--threads, --device or --software-gpu writes nothing unless --out names a file; if it names that file, the tables follow too. A run that writes
may be broken off at any time (Ctrl-C): the same command with --resume measures what is left.`;

/** Nothing that more help or a stack would explain. */
class Refused extends Error {}

export function aggregationCommand(): Command {
  return new Command("aggregation")
    .description("Exact aggregation: kernels and rules beside the machine's bandwidth, numpy and plain JavaScript.")
    .option("--quick", "fewer runs, d = 1e5 and 1e6; writes no file")
    .option("--only <names>", "kernels and rules whose names contain one of these, separated by commas", parseNames)
    .option("--k <numbers>", "numbers of updates", parseUpdates, [20, 100])
    .option("--d <numbers>", "numbers of coordinates (default: 1e5,1e6,1e7; with --quick 1e5,1e6)", parseCoordinates)
    .option("--threads <numbers>", "thread counts of the cpu backend, of readers and of BLAS", parseThreads, [1, 2])
    .addOption(new Option("--device <device>", "fast backends").choices(["auto", "cpu", "gpu"]).default("auto"))
    .option("--software-gpu", "take a GPU that is a program on the CPU; its rows say nothing about GPUs")
    .option("--out <file>", "write the results here instead")
    .option("--resume", "go on where a run with the same options was broken off")
    .option("--render", "measure nothing: make the tables anew from the results that are there")
    .option("--json", "print the results as JSON instead of the tables")
    .addHelpText("after", EXAMPLES)
    .action(async (options: Options, command: Command) => {
      try {
        if (options.render === true) writeTables(readResults());
        else await run(options, fileOf(options, isFull(command)));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        console.error(`error: ${error.message}`);
        process.exitCode = 1;
      }
    });
}

/** Whether what is measured is what the document shows. */
function isFull(command: Command): boolean {
  return ["quick", "only", "k", "d", "threads", "device", "softwareGpu"].every((name) => {
    const source = command.getOptionValueSource(name);
    return source === undefined || source === "default";
  });
}

/**
 * Where the results go, if anywhere; said before anything is measured.
 *
 * @throws Refused if nothing can be written there
 */
function fileOf({ out, resume = false }: Options, full: boolean): string | undefined {
  if (out === undefined && !full) {
    if (resume) throw new Refused("Only a run that writes its results can be resumed: --out names a file.");
    console.error("Not a full run: bench/results and docs/benchmarks.md stay as they are (--out writes a file).");
    return undefined;
  }
  const file = out === undefined ? RESULTS : resolve(out);
  try {
    mkdirSync(dirname(file), { recursive: true });
    accessSync(dirname(file), constants.W_OK);
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) throw new Error("it is a folder");
  } catch (error) {
    throw new Refused(`${file} cannot be written: ${(error as Error).message}.`);
  }
  return file;
}

function readResults(): Results {
  try {
    return resultsSchema.parse(JSON.parse(readFileSync(RESULTS, "utf8")));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new Refused(`There are no results to make tables from: ${why}`);
  }
}

async function run(options: Options, file: string | undefined): Promise<void> {
  const { quick = false, only, k, threads, device, softwareGpu = false, json = false, resume = false } = options;
  const cores = availableParallelism();
  const tooMany = threads.filter((count) => count > cores);
  if (tooMany.length > 0)
    console.error(`With ${tooMany.join(" or ")} threads on ${cores} cores, threads wait for each other.`);
  const loadBefore = loadNow();
  const startedAt = performance.now();
  const { backends, gpu, missing } = await openBackends({ threads, device, softwareGpu });
  for (const reason of missing) console.error(reason);
  if (device !== "auto" && !backends.some(({ name }) => name === device))
    throw new Refused(`--device ${device} asks for what is not there.`);
  const numpy = await NumpyPeer.open();
  if (numpy === undefined)
    console.error("numpy is absent, so nothing is compared with it: apt-get install python3-numpy");
  const readers = await Readers.open(READER_BYTES, Math.max(...threads));
  const plan: RunPlan = {
    backends,
    numpy,
    readers,
    gpu,
    threads,
    kernels: chosen(KERNELS, only),
    rules: chosen(RULES, only),
    ks: k,
    ds: options.d ?? (quick ? [100_000, 1_000_000] : [100_000, 1_000_000, 10_000_000]),
    repeats: quick ? 3 : 7,
    patience: quick
      ? { backends: { totalMs: 500, singleMs: 4_000 }, peers: { totalMs: 200, singleMs: 1_000 } }
      : { backends: { totalMs: 2_500, singleMs: 20_000 }, peers: { totalMs: 700, singleMs: 6_000 } },
  };
  const cells = cellsOf(plan);
  const checkpoint = new Checkpoint(CHECKPOINTS, [
    cpus()[0]?.model,
    gpu?.name,
    numpy?.versions,
    backends.map(idOf),
    cells.map(({ work, k: updates, d }) => [
      work === "rules" ? plan.rules.map(({ name }) => name) : work.name,
      updates,
      d,
    ]),
    [plan.threads, plan.repeats, plan.patience],
  ]);
  try {
    let standing = nothingYet(loadBefore);
    if (resume) {
      const before = checkpoint.read();
      if (before === undefined) throw new Refused("No run with these options was broken off on this machine.");
      standing = { ...before, interruptions: before.interruptions + 1 };
      console.error(`${before.cells} of ${cells.length} steps are measured already.`);
    }
    if (file !== undefined)
      console.error("May be broken off at any time: the same command with --resume measures what is left.");
    const weight = (some: typeof cells): number => some.reduce((sum, cell) => sum + weightOf(cell), 0);
    const progress = new Progress(weight(cells), weight(cells.slice(0, standing.cells)));
    const measurements = await runCells(plan, standing, progress, (now) => {
      if (file !== undefined) checkpoint.write(now);
    });
    progress.finish();
    const results: Results = resultsSchema.parse({
      date: new Date().toISOString(),
      quick,
      repeats: plan.repeats,
      machine: describeMachine(gpu?.name ?? null, standing.loadBefore),
      numpy: numpy?.versions ?? null,
      ...measurements,
      interruptions: standing.interruptions,
      missing: [...missing, ...(numpy === undefined ? ["numpy is absent."] : []), ...measurements.missing],
    });
    if (file !== undefined) {
      writeFileSync(file, formatResults(results));
      console.error(`Wrote ${file}.`);
      if (file === RESULTS) writeTables(results);
      checkpoint.remove();
    }
    console.log(json ? JSON.stringify(results, undefined, 1) : renderTables(results));
    const unmet = budgetsOf(results).filter(({ cells: judged, met }) => met < judged).length;
    console.error(`${duration(performance.now() - startedAt)}; budgets not met everywhere: ${unmet}.`);
  } finally {
    await numpy?.close();
    await readers.close();
    gpu?.copy.close();
    for (const { kernels: opened } of backends) await opened.close();
  }
}

function writeTables(results: Results): void {
  writeFileSync(DOCUMENT, replaceTables(readFileSync(DOCUMENT, "utf8"), results));
  console.error(`Wrote ${DOCUMENT}.`);
}
