// SPDX-License-Identifier: Apache-2.0
import { jacobianTerm, unitDirections } from "../../learning/algorithms/hmsdfl.ts";
import { shardGradient } from "../../learning/algorithms/shardGradient.ts";
import { type Batch, EVALUATION, type Model } from "../../learning/model.ts";
import { modelSymmetry } from "../../learning/symmetry/modelSymmetry.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import type { Random } from "../../protocol/random.ts";
import type { AttackLearner, Symmetry } from "./attack.ts";

/** Samples that one estimate of the Jacobian is taken on. */
const BATCH = 64;
/** ε of the difference quotient, right for float32 (spec B10.3). */
const EPSILON = 1e-2;

/**
 * A model on the attackers' data, as JAA needs it: the whole data's cross-entropy, and HMSDFL's estimate of the Jacobian's norm with one
 * projection on a random batch. Auxiliary tensors behind the model's parameters get gradient 0.
 */
export function attackLearner(model: Model, data: Dataset): AttackLearner {
  const { parameterCount } = model;
  const padded = (gradient: Float32Array, size: number): Float32Array => {
    const out = new Float32Array(size);
    out.set(gradient);
    return out;
  };
  return {
    classes: model.config.classes,
    async loss(state) {
      const { loss, gradient } = await shardGradient(model, state.subarray(0, parameterCount), data);
      return { loss, gradient: padded(gradient, state.length) };
    },
    async jacobianGradient(state, random) {
      const batch = draw(data, Math.min(model.batchSize ?? BATCH, data.size), random);
      const directions = unitDirections(random.derive("directions"), batch.size, model.config.classes);
      const parameters = state.subarray(0, parameterCount);
      const { gradient } = await jacobianTerm(model, parameters, batch, directions, EVALUATION, EPSILON);
      return padded(gradient, state.length);
    },
  };
}

/** How a permuted copy is disguised: the model's hidden units in another order, auxiliary tensors as they are. */
export function attackSymmetry({ config, parameterCount }: Pick<Model, "config" | "parameterCount">): Symmetry {
  const symmetry = modelSymmetry(config);
  return (state, random) => {
    const out = state.slice();
    out.set(symmetry.randomAction(state.subarray(0, parameterCount), random).moved);
    return out;
  };
}

function draw({ features, labels, inputs, size }: Dataset, count: number, random: Random): Batch {
  const chosen = random.derive("batch").permutation(size).slice(0, count);
  const batch = { features: new Float32Array(count * inputs), labels: new Int32Array(count), size: count };
  for (const [b, i] of chosen.entries()) {
    batch.features.set(features.subarray(i * inputs, (i + 1) * inputs), b * inputs);
    batch.labels[b] = labels[i] as number;
  }
  return batch;
}
