// SPDX-License-Identifier: Apache-2.0
import { LearningError } from "../../learning/errors.ts";
import type { Model } from "../../learning/model.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { log, logSumExp } from "../../protocol/math.ts";
import type { Random } from "../../protocol/random.ts";
import { adam } from "./adam.ts";
import { meanGradient, rows, shuffledPasses, take } from "./batches.ts";
import {
  argmaxRows,
  combineLogits,
  type LogitCombination,
  logitsOf,
  type Predictor,
  shareRight,
  softmaxRows,
} from "./predictors.ts";
import type { ServerStrategy } from "./strategy.ts";
import { cosineDecay } from "./trigonometry.ts";
import { checkUpdates, head, moved } from "./vectors.ts";

export interface DistillationOptions {
  /** J. */
  readonly steps: number;
  readonly batchSize: number;
  /** Of the first step; a cosine takes it to 0. */
  readonly learningRate: number;
  readonly combine: LogitCombination;
  /** Teachers with the lowest validation accuracy are left out until this share of them is gone. Needs validation data. */
  readonly dropShare: number;
  /** Steps between two looks at the validation data. */
  readonly evaluateEvery: number;
  /** Steps without a better validation accuracy after which training ends. */
  readonly patience: number;
}

export interface DistillationResult {
  readonly parameters: Float32Array;
  readonly stepsTaken: number;
  /** Which teachers were heard. */
  readonly teachers: readonly boolean[];
  /** Mean KL(p̄ ‖ student) over the last step's batch, in nats. */
  readonly divergence: number;
  /** Best accuracy on the validation data; absent without any. */
  readonly validationAccuracy?: number;
}

/**
 * FedDF (Lin et al. 2020): the student learns from its teachers' *averaged logits* on unlabelled samples,
 *
 *     p̄(x) = softmax(mean_k z_k(x))     minimise KL(p̄ ‖ softmax(z_s)) by Adam with cosine decay.
 *
 * Teachers may have any architecture. With validation data the best student seen there is returned, the first one included.
 *
 * @param unlabelled its labels are not read.
 * @throws ConfigError when teachers are to be dropped without validation data; LearningError WRONG_SHAPE, DIVERGED.
 */
export async function distil(
  student: Predictor,
  teachers: readonly Predictor[],
  unlabelled: Dataset,
  options: DistillationOptions,
  random: Random,
  validation?: Dataset,
): Promise<DistillationResult> {
  const heard = await worthHearing(teachers, options.dropShare, validation);
  const { classes } = student.model.config;
  const stream = random.derive("distil");
  // No more samples than the steps can look at; each teacher sees each of them once.
  const used = subsetOf(unlabelled, stream, Math.max(1, options.steps * options.batchSize));
  const logits: Float64Array[] = [];
  for (const [k, teacher] of teachers.entries()) if (heard[k] === true) logits.push(await logitsOf(teacher, used));
  const targets = Float32Array.from(softmaxRows(combineLogits(logits, classes, options.combine), classes));

  return { ...(await learnFrom(student, used, targets, options, stream, validation)), teachers: heard };
}

/**
 * The student's half of distillation: KL(targets ‖ softmax(z_s)) by Adam with cosine decay, and the best student seen on validation data.
 *
 * @param used the samples that the targets are of; labels are not read.
 * @param targets size × classes, probabilities.
 * @throws LearningError DIVERGED.
 */
export async function learnFrom(
  student: Predictor,
  used: Pick<Dataset, "features" | "size">,
  targets: Float32Array,
  options: Omit<DistillationOptions, "combine" | "dropShare">,
  stream: Random,
  validation?: Dataset,
): Promise<Omit<DistillationResult, "teachers">> {
  const { classes, inputs } = student.model.config;
  const state = Float64Array.from(student.parameters);
  const optimiser = adam(state.length);
  const indices = shuffledPasses(used.size, stream);
  let best = { parameters: student.parameters, accuracy: await accuracyOf(student, validation), step: 0 };
  let divergence = 0;
  let step = 0;
  while (step < options.steps && step - best.step < options.patience) {
    const batch = take(indices, Math.min(options.batchSize, used.size));
    const wanted = rows(targets, classes, batch);
    const { loss, gradient } = await meanGradient(
      student.model,
      Float32Array.from(state),
      rows(used.features, inputs, batch),
      wanted,
    );
    // Cross-entropy and divergence differ by the targets' own entropy, which no parameter moves.
    divergence = loss - meanEntropy(wanted, classes);
    optimiser.step(state, gradient, options.learningRate * cosineDecay(step, options.steps));
    step += 1;
    if (validation === undefined) best = { ...best, step };
    else if (step % options.evaluateEvery === 0 || step === options.steps) {
      const parameters = Float32Array.from(state);
      const accuracy = await accuracyOf({ ...student, parameters }, validation);
      if (accuracy > best.accuracy) best = { parameters, accuracy, step };
    }
  }
  const result = { stepsTaken: step, divergence };
  return validation === undefined
    ? { ...result, parameters: finite(Float32Array.from(state)) }
    : { ...result, parameters: finite(best.parameters), validationAccuracy: best.accuracy };
}

/** KL(p ‖ softmax(z)) of one row of target probabilities and logits, in nats. */
export function divergenceFrom(target: ArrayLike<number>, logits: ArrayLike<number>): number {
  const normaliser = logSumExp(logits);
  let sum = 0;
  for (let c = 0; c < target.length; c++) {
    const p = target[c] as number;
    if (p > 0) sum += p * (log(p) - ((logits[c] as number) - normaliser));
  }
  return sum;
}

/**
 * FedDF as a strategy for members of one architecture: the base aggregation's model is the student, each kept update a teacher.
 */
export function fedDf(
  model: Model,
  unlabelled: Dataset,
  options: DistillationOptions,
  validation?: Dataset,
): ServerStrategy<undefined> {
  return {
    initial: undefined,
    async aggregate(state, { parameters, updates, random, base }) {
      checkUpdates(updates, model.parameterCount);
      const received = head(parameters, model.parameterCount);
      const started = await base(updates);
      const teachers = updates
        .filter((_, k) => started.kept[k] === true)
        .map(({ delta }) => ({ model, parameters: moved(received, delta) }));
      const student = { model, parameters: moved(received, started.delta) };
      const result = await distil(student, teachers, unlabelled, options, random, validation);
      return {
        state,
        outcome: {
          // The base's own movement is exact; only what distillation adds has been through float32. Auxiliary tensors move by the base alone.
          delta: Float64Array.from(started.delta, (d, j) =>
            j < received.length ? d + ((result.parameters[j] as number) - (student.parameters[j] as number)) : d,
          ),
          kept: started.kept,
          diagnostics: {
            distillationSteps: result.stepsTaken,
            divergence: result.divergence,
            teachers: result.teachers.filter(Boolean).length,
            ...(result.validationAccuracy === undefined ? {} : { validationAccuracy: result.validationAccuracy }),
          },
        },
      };
    },
  };
}

/** All teachers but the ⌊share·K⌋ worst on the validation data; ties are broken against the later one. */
async function worthHearing(
  teachers: readonly Predictor[],
  share: number,
  validation: Dataset | undefined,
): Promise<boolean[]> {
  if (teachers.length === 0) throw new LearningError("WRONG_SHAPE", "Distillation needs at least one teacher.", {});
  const dropped = Math.floor(share * teachers.length);
  if (dropped === 0) return teachers.map(() => true);
  if (validation === undefined)
    throw new ConfigError(
      "Dropping the worst teachers (dropShare) needs labelled validation data; give some, or set dropShare to 0.",
    );
  const accuracies: number[] = [];
  for (const teacher of teachers) accuracies.push(await accuracyOf(teacher, validation));
  const order = Array.from(accuracies.keys()).sort(
    (a, b) => (accuracies[b] as number) - (accuracies[a] as number) || a - b,
  );
  const kept = new Set(order.slice(0, teachers.length - dropped));
  return teachers.map((_, k) => kept.has(k));
}

/** 0 without data. */
async function accuracyOf(predictor: Predictor, dataset: Dataset | undefined): Promise<number> {
  if (dataset === undefined) return 0;
  return shareRight(argmaxRows(await logitsOf(predictor, dataset), dataset.classes), dataset.labels);
}

function subsetOf(dataset: Dataset, random: Random, most: number): Dataset {
  if (dataset.size <= most) return dataset;
  const chosen = random.derive("unlabelled").permutation(dataset.size).slice(0, most);
  return {
    ...dataset,
    features: rows(dataset.features, dataset.inputs, chosen),
    labels: new Int32Array(most),
    size: most,
  };
}

function meanEntropy(probabilities: ArrayLike<number>, classes: number): number {
  let sum = 0;
  for (let j = 0; j < probabilities.length; j++) {
    const p = probabilities[j] as number;
    if (p > 0) sum -= p * log(p);
  }
  return (sum * classes) / probabilities.length;
}

function finite(parameters: Float32Array): Float32Array {
  if (!parameters.every(Number.isFinite))
    throw new LearningError(
      "DIVERGED",
      "Distillation left a parameter that is not finite. Lower its learning rate.",
      {},
    );
  return parameters;
}
