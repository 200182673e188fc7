// SPDX-License-Identifier: Apache-2.0
import { gather } from "../learning/algorithms/batches.ts";
import type { LocalAlgorithm } from "../learning/algorithms/localAlgorithm.ts";
import { type LossAndGradient, runLocalLoop, type StepPoint } from "../learning/algorithms/localLoop.ts";
import { loopOf, receivedState } from "../learning/algorithms/taskState.ts";
import { difference } from "../learning/algorithms/vectors.ts";
import { dropoutLayers } from "../learning/layout.ts";
import { type Model, TRAINING } from "../learning/model.ts";
import { clippedGradientSum, noisyGradient, poissonBatch, recordSampling } from "../privacy/recordLevel.ts";
import type { SecretWords } from "../privacy/secretStream.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { ConfigError } from "../protocol/errors.ts";
import type { TrainingPlan } from "../protocol/recipe/trainingConfig.ts";

/** What protects single samples, and the member's secret randomness for a round: batches and noise. */
export interface RecordPrivacy {
  readonly clipNorm: number;
  readonly noiseMultiplier: number;
  readonly words: (round: number) => SecretWords;
}

/**
 * FedAvg with DP-SGD (spec D7): each step draws a Poisson batch of expected size B, clips every sample's gradient to C, adds noise zC, divides by B, and
 * hands that to the plan's optimiser; what the optimiser does with it costs nothing more. One call of the engine per sample.
 *
 * `roundCharge` books it with q = B/n and the plan's steps; book before training. The mean loss in the outcome reads the data and is for the member only.
 *
 * @throws ConfigError for a model with dropout: masks per sample would be another mechanism.
 * Source: Abadi et al. 2016, algorithm 1.
 */
export function recordPrivateTraining(plan: TrainingPlan, model: Model, privacy: RecordPrivacy): LocalAlgorithm {
  if (dropoutLayers(model.config).length > 0)
    throw new ConfigError("Training with private records knows no dropout; use the model without it.");
  return {
    auxiliary: [],
    async train(task) {
      const { parameters: start } = receivedState(task, model);
      const samplingRate = recordSampling({ samples: task.shard.size, batchSize: plan.batchSize });
      const words = privacy.words(task.round);
      const gradient = (point: StepPoint): Promise<LossAndGradient> =>
        privateGradient(point, { model, plan, privacy, shard: task.shard, samplingRate, words });
      const result = await runLocalLoop(loopOf(task, model, plan, start, { gradient }));
      return { delta: difference(result.parameters, start), trainLoss: result.trainLoss, local: task.local };
    },
  };
}

async function privateGradient(
  { parameters }: StepPoint,
  context: {
    readonly model: Model;
    readonly plan: TrainingPlan;
    readonly privacy: RecordPrivacy;
    readonly shard: Dataset;
    readonly samplingRate: number;
    readonly words: SecretWords;
  },
): Promise<LossAndGradient> {
  const { model, plan, privacy, shard, samplingRate, words } = context;
  const batch = poissonBatch(shard.size, samplingRate, words);
  let losses = 0;
  const gradientOf = async (sample: number): Promise<Float32Array> => {
    const { loss, gradient } = await model.valueAndGradient(parameters, gather(shard, [sample]), {}, TRAINING);
    // One sample whose logits overflow counts nothing in the gradient; were its loss reported, training would stop and its absence tell of it.
    losses += Number.isFinite(loss) ? loss : 0;
    return gradient;
  };
  const sum = await clippedGradientSum(batch, gradientOf, model.parameterCount, privacy.clipNorm);
  const gradient = noisyGradient(sum, { ...privacy, batchSize: plan.batchSize }, words);
  // A batch may be empty: the step is then noise alone, and looks like any other.
  return { loss: batch.length === 0 ? 0 : losses / batch.length, gradient };
}
