// SPDX-License-Identifier: Apache-2.0
import { accuracy } from "../../learning/evaluate.ts";
import type { Model } from "../../learning/model.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { ensembleVotes } from "../../round/serverLearning/flCert/ensemble.ts";
import { argmaxRows, type Predictor } from "../../round/serverLearning/predictors.ts";
import type { Federation, Member } from "../laboratory/federation.ts";
import { type LabelledLosses, matchedAuroc, sampleLosses } from "./membershipInference.ts";

/** Fewer own test samples than these say too little about a member. */
const MIN_OWN_SAMPLES = 30;

/** What a model, or an ensemble that votes, shows of a member and of the others. */
export interface Examination {
  /** Of the model that the member's data went into. */
  readonly auroc: number;
  readonly standardError: number;
  /** On the test set, by majority where models vote. */
  readonly accuracy: number;
  /** Each other honest member's accuracy. */
  readonly others: ReadonlyMap<number, number>;
}

/** Examines models after a member was forgotten, or before. The member's samples are held against samples that nobody trained on. */
export class Examiner {
  readonly heldOutKind: "own" | "test";
  readonly othersOn: "own test samples" | "own training samples";
  readonly memberSamples: number;
  readonly heldOutSamples: number;
  readonly #model: Model;
  readonly #test: Dataset;
  readonly #member: Member;
  readonly #heldOut: Dataset;
  readonly #others: readonly { readonly id: number; readonly data: Dataset }[];
  readonly #globalModel: (state: Float32Array) => Float32Array | undefined;
  readonly #known = new Map<string, Promise<Examination>>();

  /** @param federation with everybody. @param gone members forgotten before, who count no more. */
  constructor(federation: Federation, member: number, gone: readonly number[]) {
    const { model, test, members, attackers, config } = federation;
    this.#model = model;
    this.#test = test;
    this.#member = members.find(({ id }) => id === member) as Member;
    const own = this.#member.test;
    this.heldOutKind = own !== undefined && own.size >= MIN_OWN_SAMPLES ? "own" : "test";
    this.#heldOut = this.heldOutKind === "own" ? (own as Dataset) : test;
    this.othersOn = config.localTest > 0 ? "own test samples" : "own training samples";
    this.#others = members
      .filter(({ id }) => id !== member && !gone.includes(id) && attackers?.ids.has(id) !== true)
      .map(({ id, test: kept, shard }) => ({ id, data: config.localTest > 0 ? (kept as Dataset) : shard }))
      .filter(({ data }) => data.size > 0);
    this.memberSamples = this.#member.shard.size;
    this.heldOutSamples = this.#heldOut.size;
    const { algorithm } = this.#member;
    this.#globalModel = (state) =>
      algorithm.globalModel === undefined ? state.slice(0, model.parameterCount) : algorithm.globalModel(state);
  }

  /**
   * @param states of all models that vote, or the one. @param own the place among them of the model that the member belongs to.
   */
  examine(states: readonly { readonly digest: string; readonly state: Float32Array }[], own = 0): Promise<Examination> {
    const key = [own, ...states.map(({ digest }) => digest)].join(" ");
    const known = this.#known.get(key);
    if (known !== undefined && states.every(({ digest }) => digest !== "")) return known;
    const voters = states.map(
      ({ state }): Predictor => ({
        model: this.#model,
        parameters: this.#globalModel(state) as Float32Array,
      }),
    );
    const examined = this.#examine(voters, voters[own] as Predictor);
    this.#known.set(key, examined);
    return examined;
  }

  async #examine(voters: readonly Predictor[], own: Predictor): Promise<Examination> {
    const { area, standardError } = matchedAuroc(
      await this.#losses(own, this.#member.shard),
      await this.#losses(own, this.#heldOut),
    );
    const others = new Map<number, number>();
    for (const { id, data } of this.#others) others.set(id, await accuracyOf(voters, data));
    return { auroc: area, standardError, accuracy: await accuracyOf(voters, this.#test), others };
  }

  async #losses({ model, parameters }: Predictor, dataset: Dataset): Promise<LabelledLosses> {
    return { losses: await sampleLosses(model, parameters, dataset), labels: dataset.labels };
  }
}

/** Of one model, or of the majority of several; among equal votes the lowest class wins. */
export async function accuracyOf(voters: readonly Predictor[], dataset: Dataset): Promise<number> {
  const [first] = voters;
  if (voters.length === 1 && first !== undefined) return accuracy(first.model, first.parameters, dataset);
  const votes = await ensembleVotes(voters, dataset);
  let right = 0;
  for (const [i, row] of votes.entries())
    if (argmaxRows(Float64Array.from(row), dataset.classes)[0] === dataset.labels[i]) right += 1;
  return right / dataset.size;
}

/** Mean of the others' accuracies, and whom a model serves worst by comparison. */
export function othersOf(
  now: Examination,
  then: Examination,
): { readonly mean: number; readonly worst: { readonly member: number; readonly change: number } | null } {
  let worst: { member: number; change: number } | null = null;
  for (const [member, value] of now.others) {
    const change = value - (then.others.get(member) as number);
    if (worst === null || change < worst.change) worst = { member, change };
  }
  return { mean: meanOf(now), worst };
}

export function meanOf({ others }: Examination): number {
  return [...others.values()].reduce((sum, value) => sum + value, 0) / others.size;
}
