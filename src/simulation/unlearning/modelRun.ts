// SPDX-License-Identifier: Apache-2.0
import { aggregate } from "../../aggregation/aggregate.ts";
import { masterInMemory } from "../../aggregation/masterInMemory.ts";
import { extentOf } from "../../learning/algorithms/batches.ts";
import { localAlgorithm } from "../../learning/algorithms/table.ts";
import { initialiseParameters } from "../../learning/layout.ts";
import type { Model } from "../../learning/model.ts";
import { toHex, utf8 } from "../../protocol/bytes.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { masterFromFloat, powerOfTwo, splitMaster, UPDATE_LIMIT } from "../../protocol/grid.ts";
import { keccak256 } from "../../protocol/hash.ts";
import { modelLayout } from "../../protocol/layout.ts";
import type { Random } from "../../protocol/random.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import { REPUTATION_ONE } from "../../protocol/reputation.ts";
import { chunkInMemory } from "../../protocol/updateChunk.ts";
import type { VerifiedUpdate } from "../../protocol/verifiedUpdate.ts";
import type { WideKernels } from "../../protocol/wideKernels.ts";
import type { Calibrate, KeptUpdate } from "./fedEraser.ts";
import type { StoredRound } from "./recompute.ts";
import type { Head, ReplayableRun } from "./replayableRun.ts";

const FRACTION_BITS = 18;

/** Federated averaging of a model: what is trained, by whom. */
export interface ModelRunInput {
  readonly model: Model;
  readonly plan: TrainingPlan;
  /** Members are numbered 1 … N in this order. */
  readonly shards: readonly Dataset[];
  readonly rounds: number;
  /** K, drawn anew each round from all N. */
  readonly cohort: number;
  /** Those of a cohort that take part, where a model is only some members'; all if left out. */
  readonly members?: readonly number[];
  readonly random: Random;
  readonly kernels?: WideKernels;
}

/** A model's run with everything that unlearning may use of it. */
export interface ModelRun extends ReplayableRun {
  /** The run's updates, on its grid. */
  readonly stored: readonly StoredRound<Int32Array>[];
  /** The same in units of the parameters, as FedEraser reads them. */
  readonly kept: readonly StoredRound<KeptUpdate>[];
  /** The run's aggregation of one round: the master model before it to that after it. */
  advance(master: Float64Array, round: StoredRound<Int32Array>): Promise<Float64Array>;
  readonly initialMaster: Float64Array;
  headOf(round: number, master: Float64Array): Head;
  /** Trains a member for a share of a round's steps. */
  readonly calibrate: Calibrate;
}

/** Trains the model and records the run; its rounds are the protocol's, on the exact grid, without coding. */
export async function recordModelRun(input: ModelRunInput): Promise<ModelRun> {
  const { model, plan, shards, rounds, cohort, members, random, kernels } = input;
  // Remembers nothing between rounds, so a member's round depends on the head alone.
  const algorithm = localAlgorithm(undefined, plan, model);
  const unit = powerOfTwo(-FRACTION_BITS);
  const layout = modelLayout(
    model.layout.map(({ name, shape }) => ({ name, shape: [...shape], fractionBits: FRACTION_BITS, group: 0 })),
  );
  const ids = shards.map((_, i) => i + 1);
  const headOf = (round: number, master: Float64Array): Head => ({
    round,
    digest: toHex(keccak256(new Uint8Array(master.buffer, master.byteOffset, master.byteLength))),
    state: splitMaster(master, layout).view,
  });
  const train = async (member: number, state: Float32Array, round: number, stream: Random, maxSteps?: number) => {
    const shard = shards[member - 1] as Dataset;
    const task = { round, state, shard, random: stream, local: {}, participation: cohort / shards.length, maxSteps };
    return (await algorithm.train(task)).delta;
  };
  const advance = async (master: Float64Array, { round, updates }: StoredRound<Int32Array>): Promise<Float64Array> => {
    if (updates.length === 0) return master;
    const file = masterInMemory(master);
    await aggregate({
      updates: updates.map(({ member, update }) => verified(member, update, (shards[member - 1] as Dataset).size)),
      reputations: updates.map(() => REPUTATION_ONE),
      alphaQ16: 0,
      beacon: toHex(keccak256(utf8(`unlearning ${round}`))),
      config: { rule: "weighted-mean" },
      layout,
      master: file,
      ...(kernels === undefined ? {} : { kernels }),
    });
    return file.after;
  };
  const play = async (from: number, start: Float64Array, without: readonly number[]) => {
    const [masters, stored]: [Float64Array[], StoredRound<Int32Array>[]] = [[], []];
    let master = start;
    for (let round = from; round <= rounds; round++) {
      const { state } = headOf(round - 1, master);
      const invited = random
        .derive("cohort", round)
        .shuffled(ids)
        .slice(0, cohort)
        .sort((a, b) => a - b);
      const updates: { member: number; update: Int32Array }[] = [];
      for (const member of invited) {
        if (without.includes(member) || members?.includes(member) === false) continue;
        const delta = await train(member, state, round, random.derive("training", round, member));
        updates.push({ member, update: onGrid(delta) });
      }
      stored.push({ round, updates });
      master = await advance(master, { round, updates });
      masters.push(master);
    }
    return { masters, stored };
  };

  const initialMaster = masterFromFloat(initialiseParameters(model.config, random), layout);
  const { masters, stored } = await play(1, initialMaster, []);
  const before = [initialMaster, ...masters];
  return {
    heads: before.map((master, round) => headOf(round, master)),
    stored,
    kept: stored.map(({ round, updates }) => ({
      round,
      updates: updates.map(({ member, update }) => ({
        member,
        update: {
          delta: Float64Array.from(update, (q) => q * unit),
          samples: (shards[member - 1] as Dataset).size,
        },
      })),
    })),
    initialMaster,
    headOf,
    advance,
    accepted: (round) => (stored[round - 1] as StoredRound<Int32Array>).updates.map(({ member }) => member),
    replay: async (from, without) => {
      const again = await play(from, before[from - 1] as Float64Array, without);
      return again.masters.map((master, i) => ({
        ...headOf(from + i, master),
        failed: again.stored[i]?.updates.length === 0 ? "TOO_FEW_UPDATES" : undefined,
      }));
    },
    calibrate: async (member, state, round, effort) => {
      const { steps: planned } = extentOf(plan, (shards[member - 1] as Dataset).size);
      const steps = Math.max(1, Math.ceil(effort * planned));
      return train(member, Float32Array.from(state), round, random.derive("calibration", round, member), steps);
    },
  };
}

/** The update as its values lie on the run's grid; what is beyond is cut. */
function onGrid(delta: Float32Array): Int32Array {
  const scale = powerOfTwo(FRACTION_BITS);
  return Int32Array.from(delta, (value) =>
    Math.max(1 - UPDATE_LIMIT, Math.min(UPDATE_LIMIT - 1, Math.round(value * scale))),
  );
}

/** Stands for verification, which has nothing to say about an update that never was bytes. */
function verified(memberId: number, values: Int32Array, samples: number): VerifiedUpdate {
  const update = { kind: "update", memberId, artifactDigest: "0x", samples, sealChecked: false };
  return { ...update, ...chunkInMemory({ kind: "dense", values }) } as unknown as VerifiedUpdate;
}
