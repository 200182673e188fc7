// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { Random } from "../../protocol/random.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import { dropoutLayers } from "../layout.ts";
import { EVALUATION, type Model } from "../model.ts";
import { checkLength } from "../targets.ts";
import type { AuxiliaryTensor, LocalAlgorithm, LocalTask } from "./localAlgorithm.ts";
import { type LocalHooks, runLocalLoop } from "./localLoop.ts";
import { probabilities } from "./probabilities.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { trainingModes } from "./trainingMode.ts";
import { addScaled, difference, joined, row } from "./vectors.ts";

/** Samples per forward pass. */
const CHUNK = 256;

/** Samples without labels that all members have: m × inputs, row-major. */
export interface UnlabelledSet {
  readonly features: Float32Array;
  readonly size: number;
}

/** What a member says of a sample: the mean of its probabilities over passes (B17), or of its logits, each row less its mean (E20). */
export type Prediction = "probabilities" | "logits";

/** A model of the member's own architecture, of which nothing travels: the state is predictions alone. */
export interface OwnModel {
  /** Where the member's model starts. */
  readonly initial: Float32Array;
  readonly says: Prediction;
}

/**
 * Aggregation in function space (Doc4 §3.3.1; spec B17): what travels is the class probabilities of a shared unlabelled set U, P̄ = Σλ_i P_i, not
 * weights, so that members may have different architectures. The member's own model stays with it and trains on CE + γ·KL(P̄ ‖ p_i on U), the
 * second term on as many samples of U as a batch has, drawn anew each step. Before the first P̄ (all zero) the term is absent.
 *
 * Without `own`, where members share a recipe's model, the model's coordinates of the update are 0. With it the state is the shared predictions alone,
 * m × classes, in the form that members give them in; shared logits become probabilities by softmax.
 *
 * Training throws ConfigError without U, or with one of another size than the recipe says.
 */
export function functional(
  { samples, gamma, passes, floor }: ClientConfigOf<"functional">,
  plan: TrainingPlan,
  model: Model,
  unlabelled: UnlabelledSet | undefined,
  own?: OwnModel,
): LocalAlgorithm {
  const { inputs, classes } = model.config;
  const says = own?.says ?? "probabilities";
  const auxiliary: readonly AuxiliaryTensor[] = [{ name: `functional.${says}`, shape: [samples, classes] }];
  const receivedBy = (task: Pick<LocalTask, "state">): { start: Float32Array; shared: Float32Array } => {
    if (own === undefined) {
      const { parameters, auxiliary: tensors } = receivedState(task, model, auxiliary);
      return { start: parameters, shared: tensors[0] as Float32Array };
    }
    checkLength("The received state", task.state, samples * classes);
    return { start: own.initial, shared: task.state };
  };
  return {
    auxiliary,
    // What travels are probabilities: there is no model of all.
    globalModel: () => undefined,
    async train(task) {
      const { start: received, shared } = receivedBy(task);
      const set = requireSet(unlabelled, samples);
      const start = task.local["model"] ?? received;
      const targets = shared.some((value) => value !== 0)
        ? normalisedRows(says === "logits" ? softmaxed(shared, classes) : shared, classes, floor)
        : undefined;
      const gradient: LocalHooks["gradient"] = async ({ parameters, batch, mode, random }) => {
        const local = await model.valueAndGradient(parameters, batch, {}, mode);
        const chosen = random.permutation(samples).slice(0, batch.size);
        const features = joined(...chosen.map((index) => row(set.features, index, inputs)));
        const softTargets = joined(...chosen.map((index) => row(targets as Float32Array, index, classes)));
        // The gradient of the cross-entropy with constant targets is that of KL(targets ‖ p).
        const agreement = await model.valueAndGradient(
          parameters,
          { features, size: chosen.length },
          { softTargets },
          EVALUATION,
        );
        addScaled(local.gradient, gamma, agreement.gradient);
        return local;
      };
      const hooks = targets === undefined || gamma === 0 ? undefined : { gradient };
      const { parameters, trainLoss } = await runLocalLoop(loopOf(task, model, plan, start, hooks));
      const predicted = await predictionsOn(model, parameters, set, says, passes, task.random.derive("predict"));
      const change = difference(predicted, shared);
      const delta = own === undefined ? joined(new Float32Array(model.parameterCount), change) : change;
      return { delta, trainLoss, local: { ...task.local, model: parameters } };
    },
    personalise: async (task) => task.local["model"] ?? receivedBy(task).start.slice(),
  };
}

function requireSet(set: UnlabelledSet | undefined, samples: number): UnlabelledSet {
  if (set?.size === samples) return set;
  throw new ConfigError(
    `The recipe aggregates predictions on ${samples} shared samples, and ${set?.size ?? "none"} were given. Give the run's unlabelled set.`,
    { samples, given: set?.size },
  );
}

/** What the model says of every sample, size × classes; with dropout the mean over `passes` draws of its masks. */
async function predictionsOn(
  model: Model,
  parameters: Float32Array,
  { features, size }: UnlabelledSet,
  says: Prediction,
  passes: number,
  random: Random,
): Promise<Float32Array> {
  const { inputs, classes } = model.config;
  const said = says === "logits" ? centred : probabilities;
  const drops = dropoutLayers(model.config).length > 0;
  const modes = trainingModes(model, random);
  const draws = drops ? passes : 1;
  const all = new Float32Array(size * classes);
  for (let first = 0; first < size; first += CHUNK) {
    const count = Math.min(CHUNK, size - first);
    const part = { features: features.subarray(first * inputs, (first + count) * inputs), size: count };
    for (let draw = 0; draw < draws; draw++) {
      const mode = drops ? modes(first * draws + draw, count) : EVALUATION;
      const { logits } = await model.forward(parameters, part, mode);
      for (let b = 0; b < count; b++) addScaled(row(all, first + b, classes), 1 / draws, said(row(logits, b, classes)));
    }
  }
  return all;
}

/** Less their mean, which softmax does not see and a code would have to carry. */
function centred(logits: Float32Array): Float64Array {
  const mean = logits.reduce((sum, value) => sum + value, 0) / logits.length;
  return Float64Array.from(logits, (value) => value - mean);
}

function softmaxed(logits: Float32Array, classes: number): Float32Array {
  const rows = new Float32Array(logits.length);
  for (let b = 0; b < rows.length / classes; b++) row(rows, b, classes).set(probabilities(row(logits, b, classes)));
  return rows;
}

/** Rows lifted to the floor and scaled to sum 1: the rule and the grid leave them only near it. */
export function normalisedRows(values: Float32Array, classes: number, floor: number): Float32Array {
  const rows = values.map((value) => Math.max(value, floor));
  for (let start = 0; start < rows.length; start += classes) {
    const part = rows.subarray(start, start + classes);
    const sum = part.reduce((total, value) => total + value, 0);
    for (let c = 0; c < classes; c++) part[c] = (part[c] as number) / sum;
  }
  return rows;
}
