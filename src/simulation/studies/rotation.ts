// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { dataSchema, loadData, partition, partitionSchema } from "../../data/dataConfig.ts";
import { headOf } from "../../learning/algorithms/head.ts";
import { drawRotations, rotationTerm } from "../../learning/algorithms/rotationConsistency.ts";
import { localAlgorithm } from "../../learning/algorithms/table.ts";
import { accuracy } from "../../learning/evaluate.ts";
import { initialiseParameters } from "../../learning/layout.ts";
import { EVALUATION, type Model } from "../../learning/model.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { keyedRandom, type Random } from "../../protocol/random.ts";
import { clientSchema } from "../../protocol/recipe/clientConfig.ts";
import { movedByMean, trainAll } from "./averagedRounds.ts";
import type { Study } from "./study.ts";

export const rotationSchema = z.strictObject({
  name: z.literal("rotation"),
  data: dataSchema.prefault({ name: "s-mix", s: 0.55, samples: 2_000 }),
  members: z.int().min(1).max(100).default(10),
  hidden: z.int().min(2).max(4_096).default(32),
  rounds: z.int().min(1).max(1_000).default(15),
  /** λ_rot. */
  weight: z.number().positive().max(1e3).default(1),
  /** ε_r, radians. */
  maxAngle: z.number().positive().max(1).default(0.1),
});

/** Draws of rotations over which R_rot is averaged. */
const DRAWS = 20;

/**
 * The mechanics of SPFL's rotation term (spec B8.3b): R_rot of the global model on test samples, over the same rotations, before training, after training
 * with the term (`rotationAfter`) and without it (`rotationWithout`), and the accuracy of both and their difference. A model that knows nothing is not sensitive to
 * rotations, so R_rot rises as training begins, with the term or without; what the term does is in `rotationRatio`, with over without.
 */
export const rotation: Study<z.output<typeof rotationSchema>> = async (options, seed, { engine, dataRoot, signal }) => {
  const { members, hidden, rounds, weight, maxAngle } = options;
  const random = keyedRandom("foedus.study.rotation", seed);
  const data = await loadData(options.data, { root: dataRoot, seed: `rotation ${seed}` });
  const shards = partition(data, members, partitionSchema.parse({ kind: "iid" }), random.derive("partition"));
  const { inputs, classes } = data.train;
  const model = await engine.load({ kind: "mlp", inputs, hidden: [hidden], classes, activation: "tanh" });
  const plan = { localEpochs: 2, batchSize: 20, learningRate: 0.1, momentum: 0 };
  const initial = initialiseParameters(model.config, random);
  const samples = shards.map(({ size }) => size);

  const trained = async (rotationWeight: number): Promise<Float32Array> => {
    const client = clientSchema.parse({ name: "spfl", permutationWeight: 0, rotationWeight, maxAngle });
    const algorithm = localAlgorithm(client, plan, model);
    let state = initial;
    for (let round = 1; round <= rounds; round++) {
      signal?.throwIfAborted();
      const outcomes = await trainAll({ round, state, shards, algorithm: () => algorithm, random });
      state = movedByMean(
        state,
        outcomes.map(({ delta }) => delta),
        samples,
      );
    }
    return state;
  };
  const [withTerm, without] = [await trained(weight), await trained(0)];
  const sensitivity = (state: Float32Array): Promise<number> =>
    meanTerm(model, state, data.test, maxAngle, random.derive("measured"));
  const after = await sensitivity(withTerm);
  const afterWithout = await sensitivity(without);
  const [accuracyAfter, accuracyWithout] = [
    await accuracy(model, withTerm, data.test),
    await accuracy(model, without, data.test),
  ];
  return {
    rotationBefore: await sensitivity(initial),
    rotationAfter: after,
    rotationWithout: afterWithout,
    rotationRatio: after / afterWithout,
    accuracyAfter,
    accuracyWithout,
    accuracyGained: accuracyAfter - accuracyWithout,
  };
};

async function meanTerm(
  model: Model,
  parameters: Float32Array,
  { features: inputs, size }: Dataset,
  maxAngle: number,
  random: Random,
): Promise<number> {
  const head = headOf(model);
  const layer = {
    weight: parameters.subarray(head.weight, head.weight + head.classes * head.width),
    bias: parameters.subarray(head.bias, head.bias + head.classes),
  };
  const { features } = await model.forward(parameters, { features: inputs, size }, EVALUATION);
  let sum = 0;
  for (let k = 0; k < DRAWS; k++) {
    const rotations = drawRotations(random.derive(k), head.width, Math.ceil(head.width / 4), maxAngle);
    sum += rotationTerm(layer, features, rotations).value;
  }
  return sum / DRAWS;
}
