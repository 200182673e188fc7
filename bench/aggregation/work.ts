// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../../src/protocol/recipe/aggregationConfig.ts";
import type { UpdateChunk } from "../../src/protocol/updateChunk.ts";
import type { WideKernels } from "../../src/protocol/wideKernels.ts";
import type { Form } from "./data.ts";

/** An operation of numpy_peer.py that a row is compared with. */
export interface PeerOp {
  readonly op: string;
  /** Whether BLAS computes it, which uses threads; the rest of numpy uses one. */
  readonly blas?: boolean;
  /** False where it gives inexact results or does not start from the same integers: reported, not compared with. */
  readonly comparable?: boolean;
}

/** What limits a kernel on a machine like today's; `order` is computation on K values per coordinate. */
export type Bound = "memory" | "gram" | "order" | "scatter";

export interface KernelWork {
  readonly name: string;
  readonly form: Form;
  readonly bound: Bound;
  /** @param room for the result, where it is as long as the chunks; given again for every call, as `aggregate` does. */
  readonly run: (kernels: WideKernels, chunks: readonly UpdateChunk[], room: Float64Array) => Promise<unknown>;
  readonly peers: readonly PeerOp[];
}

/** Byzantine updates that rules are told to tolerate: Bulyan's condition K ≥ 4f + 3 holds at 20 and at 100. */
export const faultyOf = (k: number): number => Math.floor(k / 5);

const equalWeights = (k: number): Uint32Array => new Uint32Array(k).fill(Math.floor(65_536 / k));
const weightedSum: KernelWork["run"] = (kernels, chunks, room) =>
  kernels.weightedSum(chunks, equalWeights(chunks.length), room);
const gram: KernelWork["run"] = (kernels, chunks) => kernels.gram(chunks);

/** Every wide kernel, with the forms of input that make a difference. */
export const KERNELS: readonly KernelWork[] = [
  {
    name: "weighted sum (dense)",
    form: "dense",
    bound: "memory",
    run: weightedSum,
    peers: [
      { op: "sum matmul" },
      { op: "sum loop" },
      { op: "sum convert blas", blas: true },
      { op: "sum float32 blas inexact", blas: true, comparable: false },
    ],
  },
  { name: "weighted sum (int16)", form: "int16", bound: "memory", run: weightedSum, peers: [{ op: "sum int16" }] },
  { name: "weighted sum (int8)", form: "int8", bound: "memory", run: weightedSum, peers: [{ op: "sum int8" }] },
  { name: "weighted sum (sparse)", form: "sparse", bound: "scatter", run: weightedSum, peers: [{ op: "sum sparse" }] },
  {
    name: "Gram (int16 range)",
    form: "narrow",
    bound: "gram",
    run: gram,
    peers: [
      { op: "gram float64 blas", blas: true },
      { op: "gram float64 blas, already float64", blas: true, comparable: false },
      { op: "gram int64" },
    ],
  },
  {
    name: "Gram (full range)",
    form: "dense",
    bound: "gram",
    run: gram,
    peers: [
      { op: "gram limbs", blas: true },
      { op: "gram float64 blas inexact", blas: true, comparable: false },
    ],
  },
  {
    name: "squared norms",
    form: "dense",
    bound: "memory",
    run: (kernels, chunks) => kernels.squaredNorms(chunks),
    peers: [{ op: "norms limbs", blas: true }],
  },
  {
    name: "median",
    form: "dense",
    bound: "order",
    run: (kernels, chunks, room) => kernels.coordinateMedian(chunks, room),
    peers: [{ op: "median" }, { op: "median partition" }, { op: "median sort" }],
  },
  {
    name: "trimmed mean",
    form: "dense",
    bound: "order",
    run: (kernels, chunks, room) => kernels.trimmedMean(chunks, faultyOf(chunks.length), room),
    peers: [{ op: "trimmed partition" }, { op: "trimmed sort" }],
  },
  {
    name: "mean around median",
    form: "dense",
    bound: "order",
    run: (kernels, chunks, room) => kernels.meanAroundMedian(chunks, chunks.length - 2 * faultyOf(chunks.length), room),
    peers: [{ op: "around median" }],
  },
];

export interface RuleWork {
  /** "rule: " and its name in a recipe, behind those of the steps before it. */
  readonly name: string;
  /** As a recipe names it, for K updates. */
  readonly config: (k: number) => AggregationConfig;
  /** Whether it needs the Gram matrix: what it costs beside that and one weighted sum is then reported. */
  readonly usesGram: boolean;
  readonly peers: readonly PeerOp[];
}

/** A framework's formula works on float32, so it is not the same work; it is what a user would otherwise run. */
const framework = (...ops: string[]): PeerOp[] =>
  ops.map((op) => ({ op, blas: /^flower .*(?:krum|bulyan)$|^byzfed$/.test(op) }));

/** Every rule, through `aggregate`. */
export const RULES: readonly RuleWork[] = [
  {
    name: "rule: weighted-mean",
    config: () => ({ rule: "weighted-mean" }),
    usesGram: false,
    peers: framework("flower mean", "byzfl mean"),
  },
  {
    name: "rule: coordinate-median",
    config: () => ({ rule: "coordinate-median" }),
    usesGram: false,
    peers: framework("flower median", "byzfl median"),
  },
  {
    name: "rule: trimmed-mean",
    config: (k) => ({ rule: "trimmed-mean", parameters: { trim: faultyOf(k) } }),
    usesGram: false,
    peers: framework("flower trimmed mean", "byzfl trimmed mean"),
  },
  {
    name: "rule: geometric-median",
    config: () => ({ rule: "geometric-median" }),
    usesGram: true,
    peers: framework("byzfl geometric median"),
  },
  {
    name: "rule: krum",
    config: (k) => ({ rule: "krum", parameters: { byzantine: faultyOf(k) } }),
    usesGram: true,
    peers: framework("flower krum", "byzfl krum"),
  },
  {
    name: "rule: multi-krum",
    config: (k) => ({ rule: "multi-krum", parameters: { byzantine: faultyOf(k), selected: k - faultyOf(k) } }),
    usesGram: true,
    peers: framework("flower multi-krum", "byzfl multi-krum"),
  },
  {
    name: "rule: bulyan",
    config: (k) => ({ rule: "bulyan", parameters: { byzantine: faultyOf(k) } }),
    usesGram: true,
    peers: framework("flower bulyan"),
  },
  {
    name: "rule: byzfed (tau)",
    config: () => ({ rule: "byzfed", parameters: { filter: "tau", tau: 1.5, sizeWeighted: false } }),
    usesGram: true,
    peers: framework("byzfed"),
  },
  {
    name: "rule: byzfed (mad)",
    config: () => ({ rule: "byzfed", parameters: { filter: "mad", k: 2, sizeWeighted: false } }),
    usesGram: true,
    peers: framework("byzfed"),
  },
  {
    name: "rule: centred-clipping",
    config: () => ({ rule: "centred-clipping", parameters: { radius: 100, iterations: 1 } }),
    usesGram: true,
    peers: framework("byzfl centred clipping"),
  },
  {
    name: "rule: nearest-neighbour-mixing → weighted-mean",
    config: (k) => ({ rule: "weighted-mean", before: [{ step: "nearest-neighbour-mixing", byzantine: faultyOf(k) }] }),
    usesGram: true,
    peers: framework("byzfl nearest-neighbour mixing"),
  },
  {
    name: "rule: bucketing → coordinate-median",
    config: () => ({ rule: "coordinate-median", before: [{ step: "bucketing", size: 2 }] }),
    usesGram: false,
    peers: framework("byzfl bucketing"),
  },
];
