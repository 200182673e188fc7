// SPDX-License-Identifier: Apache-2.0
import { vocabularyOf } from "../../../learning/layout.ts";
import type { Model } from "../../../learning/model.ts";
import type { Dataset } from "../../../protocol/dataset.ts";
import { ConfigError } from "../../../protocol/errors.ts";
import type { MemberUpdate, ServerOutcome, ServerRound, ServerStrategy } from "../strategy.ts";
import { checkUpdates, head, norm } from "../vectors.ts";
import { type DistilledSet, freshDistilledSet, type ReconstructionOptions, reconstruct } from "./distilledSet.ts";
import { type ErrorThreshold, keptByError } from "./flag.ts";
import { linearReconstructionError, probeBasis } from "./linearProbes.ts";

/**
 * FedREDefense (Xie et al. 2024): updates from real training can be reconstructed from little data, handcrafted ones cannot. What is compared is
 * the update, not anybody's data. Here with a linear model of training: the gradients at a few public probes (core 2 of spec E12).
 */
export function fedRedefenseProbes(
  model: Model,
  probes: Dataset,
  ridge: number,
  threshold: ErrorThreshold,
): ServerStrategy<undefined> {
  return {
    initial: undefined,
    async aggregate(state, round) {
      checkUpdates(round.updates, model.parameterCount);
      const parameters = head(round.parameters, model.parameterCount);
      const basis = await probeBasis(model, parameters, probes, ridge);
      const errors = round.updates.map(({ delta }) => linearReconstructionError(basis, head(delta, parameters.length)));
      return { state, outcome: await withoutFlagged(round, errors, threshold) };
    },
  };
}

/** The members' synthetic sets, which get better from round to round. */
export interface DistilledState {
  readonly sets: ReadonlyMap<number, DistilledSet>;
}

/**
 * FedREDefense with a synthetic set per member, by first derivatives (core 1 of spec E12).
 *
 * @param perClass synthetic samples of each class.
 * @throws ConfigError for a model of tokens: between two tokens there is nothing to descend along.
 */
export function fedRedefenseDistilled(
  model: Model,
  perClass: number,
  options: ReconstructionOptions,
  threshold: ErrorThreshold,
): ServerStrategy<DistilledState> {
  if (vocabularyOf(model.config) !== undefined)
    throw new ConfigError(
      `FedREDefense's synthetic samples are real numbers, and a ${model.config.kind} here reads tokens. Choose core: probes.`,
      { kind: model.config.kind },
    );
  return {
    initial: { sets: new Map() },
    async aggregate(state, round) {
      checkUpdates(round.updates, model.parameterCount);
      const parameters = head(round.parameters, model.parameterCount);
      const sets = new Map(state.sets);
      const errors: number[] = [];
      // Newcomers of a round start alike, so that equal updates are judged alike.
      const fresh = freshDistilledSet(model, perClass, round.random);
      for (const { member, delta } of round.updates) {
        const start = sets.get(member) ?? fresh;
        const { set, error } = await reconstruct(model, parameters, head(delta, parameters.length), start, options);
        sets.set(member, set);
        errors.push(error);
      }
      return { state: { sets }, outcome: await withoutFlagged(round, errors, threshold) };
    },
  };
}

/** The base aggregation over those that are not flagged. */
async function withoutFlagged(
  { updates, base }: ServerRound,
  errors: readonly number[],
  threshold: ErrorThreshold,
): Promise<ServerOutcome> {
  const passed = keptByError(
    errors,
    updates.map(({ delta }) => norm(delta)),
    threshold,
  );
  const places = updates.flatMap((_, k) => (passed[k] === true ? [k] : []));
  const result = await base(places.map((k) => updates[k] as MemberUpdate));
  const kept = updates.map(() => false);
  const weights = updates.map(() => 0);
  for (const [place, k] of places.entries()) {
    kept[k] = result.kept[place] === true;
    weights[k] = result.weights?.[place] ?? 0;
  }
  return {
    delta: result.delta,
    kept,
    ...(result.weights === undefined ? {} : { weights }),
    diagnostics: { reconstructionErrors: errors, flagged: passed.filter((ok) => !ok).length },
  };
}
