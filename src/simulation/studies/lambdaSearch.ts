// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { dataSchema, loadData, partition, partitionSchema } from "../../data/dataConfig.ts";
import { searchStrength } from "../../learning/algorithms/strengthSearch.ts";
import { localAlgorithm } from "../../learning/algorithms/table.ts";
import { LearningError } from "../../learning/errors.ts";
import { accuracy } from "../../learning/evaluate.ts";
import { initialiseParameters } from "../../learning/layout.ts";
import { keyedRandom } from "../../protocol/random.ts";
import { type ClientConfig, clientSchema } from "../../protocol/recipe/clientConfig.ts";
import { movedByMean, trainAll } from "./averagedRounds.ts";
import type { Study } from "./study.ts";

export const lambdaSearchSchema = z.strictObject({
  name: z.literal("lambda-search"),
  data: dataSchema.prefault({ name: "s-mix", s: 0.45, samples: 1_000, testSamples: 2_000 }),
  partition: partitionSchema.prefault({ kind: "iid" }),
  members: z.int().min(1).max(100).default(5),
  hidden: z.int().min(1).max(4_096).default(32),
  method: z.enum(["hmsdfl", "msdfl"]).default("hmsdfl"),
  /** R_c, the rounds of every strength. */
  rounds: z.int().min(1).max(1_000).default(5),
  /** Powers of ten between the dense grid's ends, and its strengths per power of ten. */
  from: z.int().min(-12).max(6).default(-6),
  to: z.int().min(-12).max(6).default(2),
  perDecade: z.int().min(1).max(10).default(2),
});

/**
 * S-LAMBDA (spec B10.4): the two-stage search for the strength of a regulariser against a dense grid of strengths, both by the accuracy on held-out
 * samples after some rounds, from the same initial model with the same batches.
 *
 * Strengths that change nothing are as good as each other, so the best of a grid may be any of them: `decadesToBest` is the distance in powers of ten
 * to the grid's best (of equals the larger), `decadesToGood` that to the nearest strength of the grid that is within one standard error of it.
 */
export const lambdaSearch: Study<z.output<typeof lambdaSearchSchema>> = async (options, seed, surroundings) => {
  const { members, hidden, method, rounds, from, to, perDecade } = options;
  const random = keyedRandom("foedus.study.lambda", seed);
  const data = await loadData(options.data, { root: surroundings.dataRoot, seed: `lambda ${seed}` });
  const shards = partition(data, members, options.partition, random.derive("partition"));
  const { inputs, classes } = data.train;
  const model = await surroundings.engine.load({ kind: "mlp", inputs, hidden: [hidden], classes, activation: "tanh" });
  const plan = { localEpochs: 1, batchSize: 20, learningRate: 0.1, momentum: 0 };

  const known = new Map<number, number>();
  const quality = async (weight: number): Promise<number> => {
    const before = known.get(weight);
    if (before !== undefined) return before;
    surroundings.signal?.throwIfAborted();
    const client: ClientConfig = clientSchema.parse({ name: method, weight });
    const algorithm = localAlgorithm(client, plan, model);
    let state = initialiseParameters(model.config, random);
    let reached = Number.NaN;
    try {
      for (let round = 1; round <= rounds; round++) {
        const outcomes = await trainAll({ round, state, shards, algorithm: () => algorithm, random });
        state = movedByMean(
          state,
          outcomes.map(({ delta }) => delta),
          shards.map(({ size }) => size),
        );
      }
      reached = await accuracy(model, state, data.test);
    } catch (error) {
      if (!(error instanceof LearningError && error.code === "DIVERGED")) throw error;
    }
    known.set(weight, reached);
    return reached;
  };

  const found = await searchStrength(quality);
  const grid: { strength: number; quality: number }[] = [];
  for (let step = 0; step <= (to - from) * perDecade; step++) {
    const strength = 10 ** (from + step / perDecade);
    const reached = await quality(strength);
    grid.push({ strength, quality: Number.isNaN(reached) ? -Infinity : reached });
  }
  const best = grid.reduce((a, b) => (b.quality >= a.quality ? b : a));
  const error = Math.sqrt((best.quality * (1 - best.quality)) / data.test.size);
  const decadesTo = (strength: number): number => Math.abs(Math.log10(found.strength / strength));
  const good = grid.filter((one) => one.quality >= best.quality - error);
  return {
    logStrength: Math.log10(found.strength),
    logBest: Math.log10(best.strength),
    decadesToBest: decadesTo(best.strength),
    decadesToGood: Math.min(...good.map(({ strength }) => decadesTo(strength))),
    quality: found.quality,
    bestQuality: best.quality,
    qualityLost: best.quality - found.quality,
    searched: found.tried.length,
    gridSize: grid.length,
  };
};
