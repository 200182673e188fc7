// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { dataSchema, loadData } from "../../data/dataConfig.ts";
import { subset } from "../../data/subset.ts";
import { extentOf } from "../../learning/algorithms/batches.ts";
import { type Tier, tierOf } from "../../learning/algorithms/resourceTier.ts";
import { localAlgorithm } from "../../learning/algorithms/table.ts";
import { accuracy } from "../../learning/evaluate.ts";
import { initialiseParameters } from "../../learning/layout.ts";
import type { Model } from "../../learning/model.ts";
import { keyedRandom } from "../../protocol/random.ts";
import { type ClientConfigOf, clientSchema } from "../../protocol/recipe/clientConfig.ts";
import { movedByMean, trainAll } from "./averagedRounds.ts";
import type { Figures, Study } from "./study.ts";

export const tiersSchema = z.strictObject({
  name: z.literal("tiers"),
  /** Of each member: steps per second over those that a round's deadline demands. */
  resources: z.array(z.number().min(0).max(1e6)).min(2).max(16).default([0.5, 1.5, 3, 5]),
  lowMethod: z.enum(["hmsdfl", "msdfl"]).default("hmsdfl"),
  weight: z.number().min(0).max(1e3).default(1e-3),
  samples: z.int().min(100).max(100_000).default(1_600),
  rounds: z.int().min(1).max(1_000).default(8),
});

/**
 * S-TIER (spec B10.2): members of different speeds train with HMSDFL, each doing what its speed allows. What they do is counted at the model: gradients
 * per local step, 1 in plain training and three more for each projection (or for MSDFL).
 *
 * The slowest member alone has samples of the last class, so that the global model knows that class only if the slowest takes part:
 * `slowestClassAccuracy`, and `slowestClassWithout` where its updates are left out. `gradientsPerStep1` … are the members' in order, `tiersHonoured`
 * is 1 if all are those of the table, `speeds` how many different ones there were.
 */
export const tiers: Study<z.output<typeof tiersSchema>> = async (options, seed, { engine, dataRoot, signal }) => {
  const { resources, lowMethod, weight, samples, rounds } = options;
  const random = keyedRandom("foedus.study.tiers", seed);
  const data = await loadData(dataSchema.parse({ name: "s-mix", s: 0.7, samples, testSamples: 1_000 }), {
    root: dataRoot,
    seed: `tiers ${seed}`,
  });
  const { inputs, classes } = data.train;
  const model = await engine.load({ kind: "mlp", inputs, hidden: [32], classes, activation: "tanh" });
  const client = clientSchema.parse({ name: "hmsdfl", weight, tiers: { lowMethod } }) as ClientConfigOf<"hmsdfl">;
  const thresholds = client.tiers as NonNullable<typeof client.tiers>;
  const plan = { localEpochs: 1, batchSize: 20, learningRate: 0.1, momentum: 0 };

  const slowest = resources.indexOf(Math.min(...resources));
  const shards = dealLastClassTo(data.train, resources.length, slowest);
  const [rare] = [classes - 1];
  const rareTest = subset(
    data.test,
    indicesOf(data.test.labels, (label) => label === rare),
  );

  const run = async (without: number | undefined): Promise<{ state: Float32Array; gradients: readonly number[] }> => {
    const counters = resources.map(() => countingGradients(model));
    const algorithms = counters.map((counter) => localAlgorithm(client, plan, counter.model));
    let state = initialiseParameters(model.config, random);
    for (let round = 1; round <= rounds; round++) {
      signal?.throwIfAborted();
      const algorithm = (member: number) => algorithms[member] as (typeof algorithms)[number];
      const outcomes = await trainAll({ round, state, shards, algorithm, random, resources });
      const kept = outcomes.map((_, i) => i).filter((i) => i !== without);
      state = movedByMean(
        state,
        kept.map((i) => (outcomes[i] as (typeof outcomes)[number]).delta),
        kept.map((i) => (shards[i] as (typeof shards)[number]).size),
      );
    }
    return { state, gradients: counters.map(({ count }) => count()) };
  };

  const { state, gradients } = await run(undefined);
  const perStep = gradients.map((count, i) => {
    const { steps } = extentOf(plan, (shards[i] as (typeof shards)[number]).size);
    return count / (rounds * steps);
  });
  const expected = resources.map((resource) => gradientsOf(tierOf(resource, classes, thresholds)));
  const without = await run(slowest);
  return {
    tiersHonoured: perStep.every((count, i) => count === expected[i]) ? 1 : 0,
    speeds: new Set(perStep).size,
    ...(Object.fromEntries(perStep.map((count, i) => [`gradientsPerStep${i + 1}`, count])) as Figures),
    reachedAccuracy: await accuracy(model, state, data.test),
    slowestClassAccuracy: await accuracy(model, state, rareTest),
    slowestClassWithout: await accuracy(model, without.state, rareTest),
  };
};

/** Gradients of a step in each tier: that of the loss, and three for each penalty. */
function gradientsOf(tier: Tier): number {
  if (tier.method === "standard") return 1;
  return 1 + 3 * (tier.method === "hmsdfl" ? tier.projections : 1);
}

/** The same model, and how many gradients it was asked for; a fused step is one. */
function countingGradients(model: Model): { readonly model: Model; readonly count: () => number } {
  let gradients = 0;
  const { step } = model;
  return {
    count: () => gradients,
    model: {
      config: model.config,
      layout: model.layout,
      parameterCount: model.parameterCount,
      ...(model.batchSize === undefined ? {} : { batchSize: model.batchSize }),
      forward: (...input) => model.forward(...input),
      valueAndGradient: (...input) => {
        gradients += 1;
        return model.valueAndGradient(...input);
      },
      ...(step === undefined
        ? {}
        : {
            step: (...input: Parameters<typeof step>) => {
              gradients += 1;
              return step.apply(model, input);
            },
          }),
    },
  };
}

/** Samples in turn to all members, those of the last class to one alone. */
function dealLastClassTo(train: Parameters<typeof subset>[0], members: number, owner: number) {
  const rare = train.classes - 1;
  const common = indicesOf(train.labels, (label) => label !== rare);
  return Array.from({ length: members }, (_, member) => {
    const own = common.filter((_, place) => place % members === member);
    const more = member === owner ? indicesOf(train.labels, (label) => label === rare) : [];
    return subset(
      train,
      [...own, ...more].sort((a, b) => a - b),
    );
  });
}

function indicesOf(labels: ArrayLike<number>, wanted: (label: number) => boolean): number[] {
  return Array.from(labels, (label, i) => (wanted(label) ? i : -1)).filter((i) => i >= 0);
}
