// SPDX-License-Identifier: Apache-2.0
import { stalenessWeight } from "../../../aggregation/staleness.ts";
import type { AsyncConfig } from "../serverConfig.ts";

/** What a policy tells a member that starts. */
export interface Instruction {
  /** In place of the plan's. */
  readonly learningRate: number;
  /** How many times the update will count; 1 is once. */
  readonly factor: number;
}

export interface WeighedArrival {
  readonly member: number;
  readonly staleness: number;
  /** Of the instruction that its task started with; 1 without one. */
  readonly factor: number;
}

/** When the model moves, and by how much each arrival moves it. A policy may remember; make one per run. */
export interface AsyncPolicy {
  readonly kind: "add" | "mix";
  /** Arrivals that a step takes. */
  readonly needed: number;
  /** The step waits for everybody who started, and nobody starts meanwhile. */
  readonly barrier: boolean;
  /** Weights of a step's arrivals, ascending member. */
  weigh(arrivals: readonly WeighedArrival[]): readonly number[];
  /** A member starts: what it is asked, and how its update will count. */
  start?(member: number): Instruction;
  /** A member's update has arrived and counts. */
  arrive?(member: number): void;
}

/** FedAsync (Xie et al. 2019): every arrival is mixed in at once, w ← (1 − γψ(a))·w + γψ(a)·w_i. */
export function fedAsyncPolicy({ mixing, staleness }: Extract<AsyncConfig, { name: "fedasync" }>): AsyncPolicy {
  return {
    kind: "mix",
    needed: 1,
    barrier: false,
    weigh: (arrivals) =>
      arrivals.map(({ staleness: age }) => mixing * stalenessWeight(age, { ...staleness, limit: Infinity })),
  };
}

/** FedBuff (Nguyen et al. 2022): of every Z arrivals, w ← w + (η_g/Z)·Σ ψ(a_i)·Δ_i. */
export function fedBuffPolicy({ buffer, stepSize, staleness }: Extract<AsyncConfig, { name: "fedbuff" }>): AsyncPolicy {
  return {
    kind: "add",
    needed: buffer,
    barrier: false,
    weigh: (arrivals) =>
      arrivals.map(
        ({ staleness: age }) => (stepSize * stalenessWeight(age, { ...staleness, limit: Infinity })) / arrivals.length,
      ),
  };
}

/** Rounds: everybody who started is waited for, and the mean is taken by sample counts. */
export function synchronousPolicy(samplesOf: (member: number) => number): AsyncPolicy {
  return {
    kind: "add",
    needed: 1,
    barrier: true,
    weigh: (arrivals) => {
      const total = arrivals.reduce((sum, { member }) => sum + samplesOf(member), 0);
      return arrivals.map(({ member }) => (total > 0 ? samplesOf(member) / total : 1 / arrivals.length));
    },
  };
}
