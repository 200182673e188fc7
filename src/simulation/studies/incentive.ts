// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { dataSchema, loadData, partition, partitionSchema } from "../../data/dataConfig.ts";
import { exactShapley, monteCarloShapley } from "../../incentives/shapley.ts";
import { splitReward } from "../../incentives/splitReward.ts";
import { localAlgorithm } from "../../learning/algorithms/table.ts";
import { meanLoss } from "../../learning/evaluate.ts";
import { initialiseParameters } from "../../learning/layout.ts";
import { keyedRandom } from "../../protocol/random.ts";
import type { Study } from "./study.ts";

export const incentiveSchema = z.strictObject({
  name: z.literal("incentive"),
  members: z.int().min(3).max(8).default(6),
  rounds: z.int().min(1).max(100).default(5),
  permutations: z.int().min(2).max(10_000).multipleOf(2).default(50),
});

/**
 * S-SPFL-3: Monte-Carlo Shapley values against exact ones over some rounds of training with one free rider, who sends nothing; and a pool split by them.
 *
 * Utilities are those of the design: how much the loss on held-out data falls when only a coalition's updates are averaged, in 2^-20 nats.
 */
export const incentive: Study<z.output<typeof incentiveSchema>> = async (options, seed, { engine, dataRoot }) => {
  const { members, rounds, permutations } = options;
  const random = keyedRandom("foedus.study.incentive", seed);
  const data = await loadData(S_MIX, { root: dataRoot, seed: `incentive ${seed}` });
  const shards = partition(
    data,
    members,
    partitionSchema.parse({ kind: "dirichlet", alpha: 0.5 }),
    random.derive("partition"),
  );
  const model = await engine.load({
    kind: "mlp",
    inputs: data.train.inputs,
    hidden: [32],
    classes: data.train.classes,
    activation: "relu",
  });
  const algorithm = localAlgorithm(undefined, { localEpochs: 2, batchSize: 20, learningRate: 0.1, momentum: 0 }, model);
  const freeRider = members - 1;
  let parameters = initialiseParameters(model.config, random);
  const exact = new Array<number>(members).fill(0);
  const estimated = new Array<number>(members).fill(0);
  for (let round = 1; round <= rounds; round++) {
    const deltas: Float32Array[] = [];
    for (const [i, shard] of shards.entries()) {
      const task = {
        round,
        state: parameters,
        shard,
        random: random.derive("training", round, i),
        local: {},
        participation: 1,
      };
      deltas.push(i === freeRider ? new Float32Array(parameters.length) : (await algorithm.train(task)).delta);
    }
    const lossWith = async (coalition: bigint): Promise<bigint> => {
      const chosen = deltas.filter((_, i) => (coalition >> BigInt(i)) & 1n);
      return inUnits(await meanLoss(model, movedByMean(parameters, chosen), data.test));
    };
    const before = inUnits(await meanLoss(model, parameters, data.test));
    const known = new Map<bigint, bigint>();
    const utility = async (coalition: bigint): Promise<bigint> => {
      const value = known.get(coalition) ?? before - (await lossWith(coalition));
      known.set(coalition, value);
      return value;
    };
    add(exact, await exactShapley(members, utility));
    add(
      estimated,
      await monteCarloShapley(members, utility, { permutations, beacon: new Uint8Array([seed % 256]), run: 1n, round }),
    );
    parameters = movedByMean(parameters, deltas);
  }
  const pool = 1_000_000n;
  const { amounts } = splitReward(
    pool,
    45_875,
    estimated.map((contribution, i) => ({
      memberId: i + 1,
      contribution: BigInt(contribution),
      participation: BigInt(rounds),
    })),
  );
  const paid = amounts.reduce((sum, amount) => sum + amount, 0n);
  return {
    relativeError:
      distance(exact, estimated) /
      distance(
        exact,
        exact.map(() => 0),
      ),
    freeRiderRank: exact.filter((value) => value < (exact[freeRider] as number)).length,
    freeRiderShare: (exact[freeRider] as number) / exact.reduce((sum, value) => sum + value, 0),
    poolMissing: Number(pool - paid),
  };
};

const S_MIX = dataSchema.parse({ name: "s-mix", samples: 1_200, testSamples: 400, s: 0.7 });

function movedByMean(parameters: Float32Array, deltas: readonly Float32Array[]): Float32Array {
  return parameters.map(
    (value, j) => value + deltas.reduce((sum, delta) => sum + (delta[j] as number), 0) / Math.max(1, deltas.length),
  );
}

/** Nats to 2^-20 nats. */
function inUnits(loss: number): bigint {
  return BigInt(Math.round(loss * 1_048_576));
}

function add(sums: number[], values: readonly number[]): void {
  for (const [i, value] of values.entries()) sums[i] = (sums[i] as number) + value;
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - (b[i] as number)) * (value - (b[i] as number)), 0));
}
