// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { dataSchema, loadData, partition, partitionSchema } from "../../data/dataConfig.ts";
import { localAlgorithm } from "../../learning/algorithms/table.ts";
import { accuracy } from "../../learning/evaluate.ts";
import { initialiseParameters } from "../../learning/layout.ts";
import { alignToReference } from "../../learning/symmetry/align.ts";
import { keyedRandom } from "../../protocol/random.ts";
import type { Study } from "./study.ts";

export const alignmentSchema = z.strictObject({
  name: z.literal("alignment"),
  data: dataSchema.prefault({ name: "s-mix", s: 0.45 }),
  members: z.int().min(2).max(64).default(4),
  hidden: z.int().min(1).max(4_096).default(32),
  training: z
    .strictObject({
      localEpochs: z.int().min(1).max(1_000).default(10),
      batchSize: z.int().min(1).max(1_024).default(20),
      learningRate: z.number().positive().max(10).default(0.1),
    })
    .prefault({}),
});

/**
 * S-SPFL-4 (spec B8.5, H1): one-shot averaging. Every member trains on its share from an initial model of its own; test accuracy of one member's model
 * (the mean over members), of the plain mean of all, of the mean after hidden units are matched with the first member's, and after their signs may
 * change too (tanh is odd). `alignedGain` is aligned less plain, `alignedOverSingle` aligned less a single member.
 */
export const alignment: Study<z.output<typeof alignmentSchema>> = async (options, seed, { engine, dataRoot }) => {
  const { members, hidden, training } = options;
  const random = keyedRandom("foedus.study.alignment", seed);
  const data = await loadData(options.data, { root: dataRoot, seed: `alignment ${seed}` });
  const shards = partition(data, members, partitionSchema.parse({ kind: "iid" }), random.derive("partition"));
  const { inputs, classes } = data.train;
  const model = await engine.load({ kind: "mlp", inputs, hidden: [hidden], classes, activation: "tanh" });
  const algorithm = localAlgorithm(undefined, { ...training, momentum: 0 }, model);

  const trained: Float32Array[] = [];
  for (const [i, shard] of shards.entries()) {
    const state = initialiseParameters(model.config, random.derive("initial", i));
    const stream = random.derive("training", i);
    const task = { round: 1, state, shard, random: stream, local: {}, participation: 1 };
    const { delta } = await algorithm.train(task);
    trained.push(state.map((value, j) => value + (delta[j] as number)));
  }
  const [reference, ...others] = trained as [Float32Array, ...Float32Array[]];
  const aligned = (signs: boolean): readonly Float32Array[] => [
    reference,
    ...others.map(
      (own, i) => alignToReference(model.config, own, reference, random.derive("match", i), { signs }).parameters,
    ),
  ];
  const measure = (parameters: Float32Array): Promise<number> => accuracy(model, parameters, data.test);
  let singles = 0;
  for (const own of trained) singles += await measure(own);
  const figures = {
    single: singles / members,
    plain: await measure(meanOf(trained)),
    aligned: await measure(meanOf(aligned(false))),
    alignedSigns: await measure(meanOf(aligned(true))),
  };
  return {
    ...figures,
    alignedGain: figures.aligned - figures.plain,
    alignedOverSingle: figures.aligned - figures.single,
  };
};

function meanOf(models: readonly Float32Array[]): Float32Array {
  return (models[0] as Float32Array).map(
    (_, j) => models.reduce((sum, parameters) => sum + (parameters[j] as number), 0) / models.length,
  );
}
