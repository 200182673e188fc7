// SPDX-License-Identifier: Apache-2.0
import type { UpdateChunk } from "./updateChunk.ts";

/** Exact inner products of K vectors: `gram[i][j]` = ⟨x_i, x_j⟩, symmetric. */
export type GramMatrix = readonly (readonly bigint[])[];

/** What an operator may ask for (`--device`): `auto` is a GPU where there is a real one whose driver works, else the processor. */
export const DEVICES = ["auto", "cpu", "gpu"] as const;
export type Device = (typeof DEVICES)[number];

/** What computes: shown to users, recorded in benchmarks. */
export interface KernelDevice {
  readonly backend: "reference" | "cpu" | "gpu";
  /** The GPU's name, or the processor's. */
  readonly name: string;
  /** Threads that compute, the caller's included. */
  readonly threads: number;
}

/** Memory that a backend computes on in place. */
export interface KernelMemory {
  readonly bytes: Uint8Array;
  /** Gives the memory back; its bytes are not touched by the caller after that. */
  free(): void;
}

/**
 * The wide kernels: everything in aggregation that touches all d coordinates of all K updates. What remains is a small program on K×K numbers.
 *
 * Every backend gives the same bits; they are exact, so there is nothing to agree on beyond these definitions. They know neither tensors nor
 * groups: a call is about the same coordinates of K updates (1 ≤ K ≤ 2 048, each in a form of its own), all on the same grid. Asynchronous,
 * because a GPU or a pool of workers is; a backend neither changes nor keeps what it is given, and calls may overlap.
 *
 * Results on the master grid are float64 integers without −0.
 *
 * `room`, where there is one, is as long as the result: memory in which a backend may return it, whatever it holds. New memory for every call can
 * cost as much as computing (page faults), so who sums span by span gives the same room again, best from `allocate`.
 */
export interface WideKernels {
  readonly device: KernelDevice;

  /**
   * Memory in which chunks need not be copied before they are computed on, and results need not be copied afterwards. Any other memory works
   * as well. It begins at a multiple of 8 bytes.
   *
   * @throws FoedusError OUT_OF_MEMORY when the backend cannot hold that much.
   */
  allocate(bytes: number): KernelMemory;

  /**
   * Σ_k λ_k q_k,j for every coordinate j: the increment of the master model, units 2^-(F+16).
   *
   * @param weights λ, one per update; they sum to at most 2^16, so every partial sum stays below 2^40.
   */
  weightedSum(updates: readonly UpdateChunk[], weights: Uint32Array, room?: Float64Array): Promise<Float64Array>;

  /** All inner products on full grid values, never shifted or rounded: a spiked coordinate costs time, not anyone's resolution. */
  gram(updates: readonly UpdateChunk[]): Promise<GramMatrix>;

  /** ⟨x_k, x_k⟩: the diagonal of the Gram matrix alone. */
  squaredNorms(updates: readonly UpdateChunk[]): Promise<bigint[]>;

  /** ⟨x_k − z, x_k − z⟩. */
  squaredDistances(updates: readonly UpdateChunk[], z: UpdateChunk): Promise<bigint[]>;

  /**
   * 2^16 · median_k q_k,j for every coordinate j, units 2^-(F+16); for even K the mean of the two middle values, which that grid holds
   * exactly.
   */
  coordinateMedian(updates: readonly UpdateChunk[], room?: Float64Array): Promise<Float64Array>;

  /**
   * The mean of what is left of each coordinate's K values without the `trim` largest and the `trim` smallest, rounded once, half away from
   * zero, to units 2^-(F+16).
   *
   * @param trim 2·trim < K
   */
  trimmedMean(updates: readonly UpdateChunk[], trim: number, room?: Float64Array): Promise<Float64Array>;

  /**
   * The mean of the `nearest` values of each coordinate that lie closest to its median (for even K the mean of the two middle values; of two
   * values equally far, the smaller), rounded once, half away from zero, to units 2^-(F+16): Bulyan's second step.
   *
   * @param nearest 1 … K
   */
  meanAroundMedian(updates: readonly UpdateChunk[], nearest: number, room?: Float64Array): Promise<Float64Array>;

  /** Ends workers and gives devices back; nothing can be called after. */
  close(): Promise<void>;
}
