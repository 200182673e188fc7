// SPDX-License-Identifier: Apache-2.0
import { aggregate, type MasterFile } from "../../src/aggregation/aggregate.ts";
import { masterInMemory } from "../../src/aggregation/masterInMemory.ts";
import { ruleOf } from "../../src/aggregation/rules.ts";
import { type ModelLayout, modelLayout } from "../../src/protocol/layout.ts";
import { REPUTATION_ONE } from "../../src/protocol/reputation.ts";
import { chunkLength, type UpdateChunk } from "../../src/protocol/updateChunk.ts";
import { type Contender, type Measured, measureInTurn, type Patience, timed } from "../lib/measure.ts";
import type { Progress } from "../lib/progress.ts";
import { fastest, gigabytesPerSecond, ratio, rounded } from "../lib/statistics.ts";
import { uploadedLength } from "../peers/gpuReplay.ts";
import type { NumpyPeer } from "../peers/numpyPeer.ts";
import { LINE, type Readers } from "../peers/readers.ts";
import { type Backend, idOf, type OpenedGpu } from "./backends.ts";
import type { Standing } from "./checkpoint.ts";
import { CHUNK, type Form, RANGE, Resident, residentLength, storedBytes } from "./data.ts";
import { faultyOf, type KernelWork, type PeerOp, type RuleWork } from "./work.ts";

export interface RunPlan {
  readonly backends: readonly Backend[];
  readonly numpy: NumpyPeer | undefined;
  readonly readers: Readers;
  readonly gpu: OpenedGpu | null;
  /** Threads that are compared with: of readers and of BLAS. */
  readonly threads: readonly number[];
  readonly kernels: readonly KernelWork[];
  readonly rules: readonly RuleWork[];
  readonly ks: readonly number[];
  readonly ds: readonly number[];
  readonly repeats: number;
  /** For the backends that are measured, and for what they are compared with. */
  readonly patience: { readonly backends: Patience; readonly peers: Patience };
}

type Measurements = Standing["measurements"];

/** One cell of the table: one kernel, or all rules, at one K and d. */
interface Cell {
  readonly work: KernelWork | "rules";
  readonly k: number;
  readonly d: number;
}

/** Rules see values of common size: Gram matrices are then cheapest, and what rules add to them shows most. */
const RULES_FORM: Form = "narrow";
/**
 * Bytes that the reader takes of one stream before it goes to the next: a line, which is how a kernel reads that sums K updates in registers,
 * and what hardware prefetchers like best. The faster order is what rows are compared with.
 */
const TURNS = [LINE, 65_536] as const;
/** Coordinates that `aggregate` takes at a time. */
const SPAN = 262_144;

/** All cells, those on the same data one after the other. */
export function cellsOf({ kernels, rules, ks, ds }: Pick<RunPlan, "kernels" | "rules" | "ks" | "ds">): Cell[] {
  const works = [...kernels, ...(rules.length > 0 ? (["rules"] as const) : [])];
  const forms = new Set(works.map(formOf));
  return [...forms].flatMap((form) =>
    ks.flatMap((k) => works.filter((work) => formOf(work) === form).flatMap((work) => ds.map((d) => ({ work, k, d })))),
  );
}

const formOf = (work: Cell["work"]): Form => (work === "rules" ? RULES_FORM : work.form);

/** What a cell costs, roughly, in any unit: for the estimate of the time left. */
export function weightOf({ work, k, d }: Cell): number {
  // Beyond some size patience, not d, decides.
  return (work === "rules" ? 6 : 1) * (1 + (k * d) / 4e8);
}

/** What a run that has not begun has measured. */
export const nothingYet = (loadBefore: number): Standing => ({
  cells: 0,
  measurements: { rows: [], bandwidth: [], peers: [], rules: [], uploaded: [], fewer: [], missing: [] },
  seen: [],
  loadBefore,
  interruptions: 0,
});

/**
 * Measures every cell that is not measured yet. What is given is left open.
 *
 * @param onCell hears how far the run is after each cell; what it is given may be kept until the next.
 */
export async function runCells(
  plan: RunPlan,
  from: Standing,
  progress: Progress,
  onCell: (standing: Standing) => void,
): Promise<Measurements> {
  const results = from.measurements;
  const memory = new Memory(plan);
  const expected = new Expected(from.seen);
  for (const [at, cell] of cellsOf(plan).entries()) {
    if (at < from.cells) continue;
    const { work, k, d } = cell;
    progress.begin(`${work === "rules" ? "rules" : work.name}, K = ${k}, d = ${d}`);
    await memory.hold(formOf(work), k, Math.min(d, CHUNK));
    const onRun = (id: string): void => progress.detail(id);
    if (work === "rules") await ruleCell(plan, memory, expected, k, d, results, onRun);
    else await kernelCell(plan, work, memory, expected, k, d, results, onRun);
    progress.end(weightOf(cell));
    onCell({ ...from, cells: at + 1, measurements: results, seen: expected.entries() });
  }
  memory.free();
  sortAsPlanned(plan, results);
  return results;
}

/** Entries in the order of kernels and rules, whatever order they were measured in. */
function sortAsPlanned({ kernels, rules }: RunPlan, results: Measurements): void {
  const order = new Map([...kernels, ...rules].map(({ name }, at) => [name, at]));
  const place = ({ name }: { name: string }): number => order.get(name) ?? order.size;
  for (const entries of [results.rows, results.bandwidth, results.peers, results.rules, results.uploaded])
    entries.sort((a, b) => place(a) - place(b));
}

/** The same data for everybody: in each backend's own memory, the same for any number of threads, and in numpy's process. */
class Memory {
  readonly #plan: RunPlan;
  readonly #held = new Map<string, Resident>();
  readonly #rooms = new Map<string, Float64Array>();
  #holds = "";

  constructor(plan: RunPlan) {
    this.#plan = plan;
  }

  async hold(form: Form, k: number, unit: number): Promise<void> {
    const wanted = `${form} ${k} ${form === "sparse" ? unit : ""}`;
    if (wanted === this.#holds) return;
    this.free();
    const copies = new Map<string, Resident>();
    for (const backend of this.#plan.backends) {
      // Two copies may be one twice as fast as the other (how their pages lie), so whoever can reads the same: any number of threads, and the
      // reference what plain JavaScript reads.
      const owner = backend.name === "reference" ? "plain-js" : backend.name;
      const copy = copies.get(owner) ?? new Resident(backend.kernels, form, k, unit);
      copies.set(owner, copy);
      this.#held.set(idOf(backend), copy);
    }
    await this.#plan.numpy?.fill({
      form: form === "narrow" ? "dense" : form,
      k,
      length: residentLength(k),
      range: RANGE[form],
      unit,
    });
    this.#holds = wanted;
  }

  of(backend: Backend): Resident {
    return this.#held.get(idOf(backend)) as Resident;
  }

  /** Memory for the results of a chunk, as `aggregate` asks the backend for it; one of them for any number of threads. */
  room({ name, kernels }: Backend): Float64Array {
    const known = this.#rooms.get(name);
    if (known !== undefined) return known;
    const { bytes } = kernels.allocate(8 * CHUNK);
    const room = new Float64Array(bytes.buffer, bytes.byteOffset, CHUNK);
    this.#rooms.set(name, room);
    return room;
  }

  free(): void {
    for (const resident of new Set(this.#held.values())) resident.free();
    this.#held.clear();
    this.#holds = "";
  }
}

/** Coordinates on which something is tried before it is done on more. */
const TRIAL = 100_000;

/** What a run may take, from how long the same took at another size. */
class Expected {
  readonly #seen: Map<string, { k: number; d: number; ms: number }>;

  constructor(seen: Standing["seen"]) {
    this.#seen = new Map(seen);
  }

  entries(): Standing["seen"] {
    return [...this.#seen];
  }

  /**
   * @param power of K that the time grows with.
   * @param trial does the work on TRIAL coordinates: made where it was never seen and d is larger; absent where that is not worth it.
   */
  async of(
    { name, k, d }: { readonly name: string; readonly k: number; readonly d: number },
    who: string,
    power: number,
    trial: (() => Promise<number>) | undefined,
  ): Promise<number | undefined> {
    const seen = this.#seen.get(`${name}/${who}`);
    if (seen !== undefined) return seen.ms * (d / seen.d) * (k / seen.k) ** power;
    if (d <= TRIAL || trial === undefined) return undefined;
    // The first is compiled on the way.
    await trial();
    return ((await trial()) * d) / TRIAL;
  }

  saw(name: string, who: string, k: number, d: number, ms: number): void {
    this.#seen.set(`${name}/${who}`, { k, d, ms });
  }
}

/** Chunks of at most `chunk` coordinates that make up d: [place, size]. */
function* chunksOf(d: number, chunk: number): Generator<[index: number, size: number]> {
  for (let at = 0, index = 0; at < d; at += chunk, index++) yield [index, Math.min(chunk, d - at)];
}

const COPY = "gpu copy";
const UPLOADED = "gpu, uploaded";
/** What a GPU does in less is drowned by the call. */
const LONG_MS = 25;

/** Milliseconds per GB, whatever the cell's size, of what a GPU does `times` over. */
function perGigabyte(work: (times: number) => Promise<number>): Contender["run"] {
  let times = 0;
  return async () => {
    if (times === 0) {
      // Memory is cleared when it is first used.
      await work(1);
      times = 1;
    }
    for (; ; times *= 2) {
      let bytes = 0;
      const ms = await timed(async () => {
        bytes = await work(times);
      });
      if (ms >= LONG_MS) return (ms / bytes) * 1e9;
    }
  };
}

/** A kernel on a GPU that has the updates already. Once for each K: the vectors' length does not matter. */
async function uploadedContenders(
  { gpu, backends, ds, patience }: RunPlan,
  work: KernelWork,
  memory: Memory,
  k: number,
  d: number,
): Promise<Contender[]> {
  const backend = backends.find(({ name }) => name === "gpu");
  // Gram matrices are not about bandwidth, and of sparse updates there are too few bytes.
  if (gpu === null || backend === undefined || d !== ds[0] || work.bound === "gram" || work.bound === "scatter")
    return [];
  const length = uploadedLength((k * storedBytes(work.form, CHUNK)) / CHUNK);
  const tiles = await gpu.replay.note((kernels, part) =>
    work.run(kernels, memory.of(backend).part(part, length), new Float64Array(length)),
  );
  const run = perGigabyte((times) => gpu.replay.run(tiles, times));
  return [{ id: UPLOADED, patience: patience.backends, garbage: false, run }];
}
const readerId = (reader: "streams" | "raw", threads: number, turn: number): string => `${reader} ${threads} ${turn}`;

function readerContenders({ readers, gpu, threads, patience }: RunPlan, form: Form, k: number, d: number): Contender[] {
  const size = Math.min(d, CHUNK);
  const each = storedBytes(form, size);
  const copies: Contender[] =
    gpu === null
      ? []
      : [{ id: COPY, patience: patience.backends, garbage: false, run: perGigabyte((times) => gpu.copy.run(times)) }];
  const reads = threads.flatMap((count): Contender[] => [
    ...TURNS.map(
      (turn): Contender => ({
        id: readerId("streams", count, turn),
        patience: patience.backends,
        garbage: false,
        runs: d / size,
        run: (part) => timed(async () => readers.read(k, each, part, count, turn)),
      }),
    ),
    {
      id: readerId("raw", count, LINE),
      patience: patience.backends,
      garbage: false,
      runs: d / size,
      run: (part) => timed(async () => readers.read(1, k * each, part, count, k * each)),
    },
  ]);
  return [...reads, ...copies];
}

/** What one run of somebody is thought to take, ms, perhaps after a trial. */
type Expect = (who: string, trial: () => Promise<number>) => Promise<number | undefined>;

const numpyId = (op: string, threads: number): string => `numpy ${op} ${threads}`;

function numpyContenders(
  { numpy, threads, patience }: RunPlan,
  ops: readonly PeerOp[],
  k: number,
  d: number,
  expect: Expect,
): Contender[] {
  if (numpy === undefined) return [];
  const size = Math.min(d, CHUNK);
  return ops.flatMap(({ op, blas }) =>
    (blas === true ? threads : [1]).map((count): Contender => {
      const id = numpyId(op, count);
      return {
        id,
        patience: patience.peers,
        garbage: false,
        expectMs: () => expect(id, () => numpy.run(op, k, TRIAL, 0)),
        runs: d / size,
        run: async (part) => {
          await numpy.setThreads(count);
          return await numpy.run(op, k, size, part);
        },
      };
    }),
  );
}

const isMeasured = ({ name }: Backend): boolean => name === "cpu" || name === "gpu";
const patienceFor = ({ patience }: RunPlan, backend: Backend): Patience =>
  isMeasured(backend) ? patience.backends : patience.peers;

async function kernelCell(
  plan: RunPlan,
  work: KernelWork,
  memory: Memory,
  expected: Expected,
  k: number,
  d: number,
  results: Measurements,
  onRun: (id: string) => void,
): Promise<void> {
  const power = work.bound === "gram" ? 2 : 1.2;
  // Sparse data is made for one size of chunk, and is done with soon.
  const expect: Expect = (who, trial) =>
    expected.of({ name: work.name, k, d }, who, power, work.form === "sparse" ? undefined : trial);
  const contenders = [
    ...readerContenders(plan, work.form, k, d),
    ...plan.backends.map((backend): Contender => {
      const resident = memory.of(backend);
      const room = memory.room(backend);
      const over = async (part: number, coordinates: number): Promise<number> => {
        const chunks = [...chunksOf(coordinates, CHUNK)].map(([index, size]) => resident.part(part + index, size));
        return await timed(async () => {
          for (const chunk of chunks)
            await work.run(backend.kernels, chunk, room.subarray(0, chunkLength(chunk[0] as UpdateChunk)));
        });
      };
      // What others are compared with does one chunk of several: they take the same time each.
      const each = isMeasured(backend) ? d : Math.min(d, CHUNK);
      return {
        id: idOf(backend),
        patience: patienceFor(plan, backend),
        garbage: true,
        expectMs: () => expect(idOf(backend), () => over(0, TRIAL)),
        runs: d / each,
        run: (part) => over(part, each),
      };
    }),
    ...numpyContenders(plan, work.peers, k, d, expect),
    ...(await uploadedContenders(plan, work, memory, k, d)),
  ];
  const measured = await measureInTurn(contenders, plan.repeats, onRun);
  note(results, expected, work.name, k, d, plan.repeats, measured);
  const bytes = k * storedBytes(work.form, d);
  const bandwidth = noteReaders(results, plan, measured, work.name, k, d, bytes);
  const uploadedMs = measured.get(UPLOADED)?.ms;
  if (uploadedMs !== undefined && bandwidth.copy !== undefined) {
    const gbps = rounded(1e3 / uploadedMs);
    results.uploaded.push({
      name: work.name,
      k,
      gbps,
      copyGbps: bandwidth.copy,
      ratioCopy: rounded(gbps / bandwidth.copy),
    });
  }
  notePeers(results, plan, measured, work.name, work.peers, k, d);
  noteRows(results, plan, measured, work.name, (backend) => idOf(backend), work.peers, k, d, bytes, bandwidth);
}

/** Remembers times for estimates, and says which medians are of fewer runs. */
function note(
  results: Measurements,
  expected: Expected,
  name: string,
  k: number,
  d: number,
  repeats: number,
  measured: ReadonlyMap<string, Measured>,
): void {
  for (const [who, { ms, repeats: made }] of measured) {
    expected.saw(name, who, k, d, ms);
    if (made < repeats) results.fewer.push({ name, k, d, who, repeats: made });
  }
}

/** What rows are compared with: GB/s of the K-stream reader by threads, and of copies on a GPU. */
interface Bandwidth {
  readonly streams: ReadonlyMap<number, number>;
  readonly copy: number | undefined;
}

function noteReaders(
  results: Measurements,
  { threads }: RunPlan,
  measured: ReadonlyMap<string, Measured>,
  name: string,
  k: number,
  d: number,
  bytes: number,
): Bandwidth {
  const streams = new Map<number, number>();
  for (const count of threads) {
    const lines = measured.get(readerId("streams", count, LINE))?.ms;
    const best = fastest(TURNS.map((turn) => measured.get(readerId("streams", count, turn))?.ms));
    const raw = measured.get(readerId("raw", count, LINE))?.ms;
    if (best !== null) {
      streams.set(count, gigabytesPerSecond(bytes, best));
      results.bandwidth.push({ reader: "streams", name, k, d, threads: count, gbps: gigabytesPerSecond(bytes, best) });
    }
    if (lines !== undefined)
      results.bandwidth.push({ reader: "lines", name, k, d, threads: count, gbps: gigabytesPerSecond(bytes, lines) });
    if (raw !== undefined)
      results.bandwidth.push({ reader: "raw", name, k, d, threads: count, gbps: gigabytesPerSecond(bytes, raw) });
  }
  const copyMs = measured.get(COPY)?.ms;
  const copy = copyMs === undefined ? undefined : rounded(1e3 / copyMs);
  if (copy !== undefined) results.bandwidth.push({ reader: "copy", name, k, d, threads: 1, gbps: copy });
  return { streams, copy };
}

function notePeers(
  results: Measurements,
  { threads }: RunPlan,
  measured: ReadonlyMap<string, Measured>,
  name: string,
  ops: readonly PeerOp[],
  k: number,
  d: number,
): void {
  for (const { op, comparable = true } of ops) {
    for (const count of threads) {
      const ms = measured.get(numpyId(op, count))?.ms;
      if (ms !== undefined) results.peers.push({ name, k, d, peer: op, threads: count, ms: rounded(ms), comparable });
    }
  }
}

/** Fastest comparable operation with at most as many threads. */
function numpyMs(measured: ReadonlyMap<string, Measured>, ops: readonly PeerOp[], threads: number): number | null {
  return fastest(
    ops
      .filter(({ comparable }) => comparable !== false)
      .flatMap(({ op }) => Array.from({ length: threads }, (_, i) => measured.get(numpyId(op, i + 1))?.ms)),
  );
}

function noteRows(
  results: Measurements,
  { backends }: Pick<RunPlan, "backends">,
  measured: ReadonlyMap<string, Measured>,
  name: string,
  id: (backend: Backend) => string,
  ops: readonly PeerOp[],
  k: number,
  d: number,
  bytes: number,
  bandwidth: Bandwidth,
): void {
  const plainJs = backends.find((backend) => backend.name === "plain-js");
  const plainMs = plainJs === undefined ? undefined : measured.get(id(plainJs))?.ms;
  for (const backend of backends) {
    const ms = measured.get(id(backend))?.ms;
    if (ms === undefined) {
      results.missing.push(`${name}, K = ${k}, d = ${d}, ${idOf(backend)}: one run would take too long.`);
      continue;
    }
    const gbps = gigabytesPerSecond(bytes, ms);
    results.rows.push({
      name,
      k,
      d,
      backend: backend.name,
      threads: backend.threads,
      ms: rounded(ms),
      gbps,
      ratioBandwidth: ratio(gbps, backend.name === "gpu" ? bandwidth.copy : bandwidth.streams.get(backend.threads)),
      ratioNumpy: ratio(numpyMs(measured, ops, backend.threads), ms),
      ratioPlainJs: ratio(plainMs, ms),
    });
  }
}

interface Model {
  readonly size: number;
  readonly layout: ModelLayout;
  readonly master: MasterFile;
}

const modelOf = (size: number): Model => ({
  size,
  layout: modelLayout([{ name: "weights", shape: [size], fractionBits: 18, group: 0 }]),
  master: masterInMemory(new Float64Array(size)),
});

/** Does something for a model of some size. @returns milliseconds. */
type Work = (part: number, model: Model) => Promise<number>;

/** All rules at one size, in turn with the Gram matrix and the weighted sum that most of them are made of. */
async function ruleCell(
  plan: RunPlan,
  memory: Memory,
  expected: Expected,
  k: number,
  d: number,
  results: Measurements,
  onRun: (id: string) => void,
): Promise<void> {
  const rules = plan.rules.filter(({ name, config }) => {
    const { minUpdates } = ruleOf(config(k));
    if (minUpdates > k)
      results.missing.push(`${name}, K = ${k}, d = ${d}: it needs ${minUpdates} updates to tolerate ${faultyOf(k)}.`);
    return minUpdates <= k;
  });
  if (rules.length === 0) return;
  const expect: Expect = (who, trial) => expected.of({ name: "rules", k, d }, who, 2, trial);
  const ruleId = (name: string, backend: Backend): string => `${name}/${idOf(backend)}`;
  const contenders: Contender[] = readerContenders(plan, RULES_FORM, k, d);
  // The reference is a yardstick of kernels; a rule on it would tell nothing new, and take the longest.
  const backends = plan.backends.filter(({ name }) => name !== "reference");
  const whole = modelOf(d);
  const trial = modelOf(TRIAL);
  for (const backend of backends) {
    const resident = memory.of(backend);
    const patience = patienceFor(plan, backend);
    const { kernels } = backend;
    const overSpans =
      (run: (chunks: ReturnType<Resident["part"]>) => Promise<unknown>): Work =>
      async (part, { size: coordinates }) => {
        const spans = [...chunksOf(coordinates, SPAN)].map(([index, size]) => resident.part(part + index, size));
        return await timed(async () => {
          for (const chunks of spans) await run(chunks);
        });
      };
    const add = (name: string, work: Work): void => {
      const id = ruleId(name, backend);
      const expectMs = (): Promise<number | undefined> => expect(id, () => work(0, trial));
      contenders.push({ id, patience, garbage: true, expectMs, run: (part) => work(part, whole) });
    };
    const weights = new Uint32Array(k).fill(Math.floor(65_536 / k));
    const room = memory.room(backend);
    add(
      "own Gram",
      overSpans((chunks) => kernels.gram(chunks)),
    );
    add(
      "own weighted sum",
      overSpans((chunks) =>
        kernels.weightedSum(chunks, weights, room.subarray(0, chunkLength(chunks[0] as UpdateChunk))),
      ),
    );
    for (const { name, config } of rules) {
      add(name, (part, { size, layout, master }) =>
        timed(() =>
          aggregate({
            updates: resident.sources(part, size),
            reputations: new Array<number>(k).fill(REPUTATION_ONE),
            alphaQ16: 58_982,
            beacon: `0x${"5a".repeat(32)}`,
            config: config(k),
            layout,
            master,
            kernels,
          }),
        ),
      );
    }
  }
  const ops = new Map(rules.flatMap(({ peers }) => peers).map((peer) => [peer.op, peer]));
  contenders.push(...numpyContenders(plan, [...ops.values()], k, d, expect));
  const measured = await measureInTurn(contenders, plan.repeats, onRun);
  note(results, expected, "rules", k, d, plan.repeats, measured);
  const bytes = k * storedBytes(RULES_FORM, d);
  const bandwidth = noteReaders(results, plan, measured, "rules", k, d, bytes);
  for (const { name, usesGram, peers } of rules) {
    notePeers(results, plan, measured, name, peers, k, d);
    noteRows(results, { backends }, measured, name, (backend) => ruleId(name, backend), peers, k, d, bytes, bandwidth);
    if (!usesGram) continue;
    for (const backend of backends) {
      const [ms, gramMs, weightedSumMs] = [name, "own Gram", "own weighted sum"].map(
        (part) => measured.get(ruleId(part, backend))?.ms,
      );
      if (ms === undefined || gramMs === undefined || weightedSumMs === undefined) continue;
      results.rules.push({
        name,
        k,
        d,
        backend: backend.name,
        threads: backend.threads,
        ms: rounded(ms),
        gramMs: rounded(gramMs),
        weightedSumMs: rounded(weightedSumMs),
        ratioParts: rounded(ms / (gramMs + weightedSumMs)),
      });
    }
  }
}
