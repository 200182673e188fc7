// SPDX-License-Identifier: Apache-2.0
import type { ContractTransactionReceipt } from "ethers";
import { type ScoreReveal, scoreCommitment } from "../../../src/protocol/attestedScores.ts";
import { hasBit } from "../../../src/protocol/bitmap.ts";
import type { Hex } from "../../../src/protocol/bytes.ts";
import { finalise, type PlayedRound, playJudged, proposerOf, type RoundPlan, sealOf, skipPhase } from "./round.ts";
import { type Party, read, send, type World, word } from "./world.ts";

/** A round of a run with attested scoring, and what each validator committed to with its seal. */
export interface ScoredRound extends PlayedRound {
  /** By validator index. */
  readonly reveals: readonly ScoreReveal[];
}

export interface ScoredPlan extends Omit<RoundPlan, "scores"> {
  /** Scores of the kept updates, ascending member id, by validator index; default 100·(index + 1) + row. */
  readonly scores?: readonly (readonly number[])[];
}

export function commitmentTo(world: World, round: PlayedRound, validatorIndex: number, reveal: ScoreReveal): Hex {
  const place = { chainId: world.chainId, rewards: world.addresses.rewards, run: round.run, round: round.round };
  return scoreCommitment({ ...place, validatorIndex }, reveal);
}

/** Opens, commits and judges a round, and says what each validator scores. */
export async function playScoredJudged(world: World, run: bigint, plan: ScoredPlan = {}): Promise<ScoredRound> {
  const { scores, ...rest } = plan;
  const none = Object.fromEntries(world.members.map(({ id }) => [id, 0]));
  const played = await playJudged(world, run, { ...rest, scores: none });
  const kept = keptMembers(played).length;
  const reveals = world.validators.map((_, index) => ({
    scores: scores?.[index] ?? Array.from({ length: kept }, (__, row) => 100 * (index + 1) + row),
    salt: word(`salt ${run} ${played.round} ${index}`),
  }));
  return { ...played, reveals };
}

export function attestWithScores(world: World, round: ScoredRound, index: number): Promise<ContractTransactionReceipt> {
  const validator = world.validators[index] as Party;
  const commitment = commitmentTo(world, round, index, round.reveals[index] as ScoreReveal);
  const seal = sealOf(world, round.result, validator);
  return send(validator.account, world.proof, "attestWithScores", [round.run, round.round, seal, commitment]);
}

/** The same up to the end of attesting; the next transaction can finalise. */
export async function playScoredAttested(world: World, run: bigint, plan: ScoredPlan = {}): Promise<ScoredRound> {
  const played = await playScoredJudged(world, run, plan);
  for (const validator of plan.attesters ?? world.validators) {
    await attestWithScores(world, played, world.validators.indexOf(validator));
  }
  await skipPhase(world, run, played.round, "attestEnd");
  return played;
}

/** A finalised round whose scores are committed and not yet revealed. */
export async function playScored(world: World, run: bigint, plan: ScoredPlan = {}): Promise<ScoredRound> {
  const played = await playScoredAttested(world, run, plan);
  await finalise(world, played, proposerOf(world, played.round));
  return played;
}

export function reveal(
  world: World,
  { run, round, reveals }: ScoredRound,
  index: number,
  change: Partial<ScoreReveal> = {},
): Promise<ContractTransactionReceipt> {
  const { scores, salt } = { ...(reveals[index] as ScoreReveal), ...change };
  const by = (world.validators[index] as Party).account;
  return send(by, world.rewards, "revealScores", [run, round, scores, salt]);
}

/** Books a round as anybody may, with what was revealed by these validators. */
export function book(
  world: World,
  round: ScoredRound,
  revealed: readonly number[],
  change: { reveals?: readonly ScoreReveal[]; result?: object } = {},
): Promise<ContractTransactionReceipt> {
  const accepted = round.finalisation.committed.filter(({ commitIndex }) =>
    hasBit(round.result.accepted, commitIndex as number),
  );
  const reveals = change.reveals ?? revealed.map((index) => round.reveals[index] as ScoreReveal);
  return send(world.outsider, world.rewards, "bookScores", [{ ...round.result, ...change.result }, accepted, reveals]);
}

/** Member ids of the kept updates, ascending. */
export function keptMembers({ result, finalisation }: PlayedRound): number[] {
  return finalisation.committed
    .filter(({ commitIndex }) => hasBit(result.kept, commitIndex as number))
    .map(({ memberId }) => memberId as number);
}

export async function attestedScoresOf(world: World, { run, round }: { run: bigint; round: number }) {
  const view = await read(world.rewards, "attestedScoresOf", [run, round]);
  return {
    revealEnd: Number(view.revealEnd),
    bookAfter: Number(view.bookAfter),
    revealed: view.revealed as bigint,
    booked: view.booked as boolean,
  };
}
