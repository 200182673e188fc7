// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Hex } from "../protocol/bytes.ts";
import { DecodeError } from "../protocol/errors.ts";

/**
 * Shapes of what the contracts return and log, after ABI decoding (`ContractCodec`): names and kinds of values. They pin the contracts'
 * structs: a contract that has changed is noticed here, at the border, and not as an `undefined` further in.
 */

const word = z.string().regex(/^0x[0-9a-f]{64}$/) as unknown as z.ZodType<Hex>;
const bytes = z.string().regex(/^0x(?:[0-9a-f]{2})*$/) as unknown as z.ZodType<Hex>;
const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/);
const integer = z.int();
const natural = z.int().min(0);
const positive = z.int().min(1);
const wide = z.bigint();
const flag = z.boolean();

export const runParamsSchema = z.strictObject({
  recipeDigest: word,
  recipeCid: word,
  ruleId: word,
  initialModelRoot: word,
  initialCheckpointCid: word,
  rounds: natural,
  maxOpenings: natural,
  cohort: natural,
  capacity: natural,
  minAccepted: natural,
  commitBlocks: natural,
  judgeBlocks: natural,
  fetchBlocks: natural,
  attestBlocks: natural,
  viewBlocks: natural,
  challengeBlocks: natural,
  alphaQ16: natural,
  omegaQ16: natural,
  verifier: address,
  token: address,
  pool: wide,
  disputeBond: wide,
  scoring: natural,
});

export const runViewSchema = z.strictObject({
  openedBlock: positive,
  sponsor: address,
  paramsDigest: word,
  head: word,
  headRound: natural,
  modelRoot: word,
  checkpointCid: word,
  lastRound: natural,
  finalisedRounds: natural,
  failedClosings: natural,
  ended: flag,
});

export const roundViewSchema = z.strictObject({
  phase: natural.max(6),
  failure: natural.max(4),
  closing: flag,
  openedBlock: positive,
  rosterBefore: positive,
  commitEnd: positive,
  judgeEnd: positive,
  attestEnd: positive,
  commitDeadline: positive,
  fetchDeadline: positive,
  judgeDeadline: positive,
  attestDeadline: positive,
  finaliseDeadline: positive,
  finalisedBlock: natural,
  head: word,
  parentRound: natural,
  beaconBefore: word,
  validators: positive.max(32),
  quorum: positive.max(32),
  validatorSetVersion: positive,
  activeMembers: natural,
  invited: natural,
  places: natural,
  minAccepted: natural,
  commits: natural.max(32),
  verdicts: natural.max(32),
  attestations: natural.max(32),
  accepted: natural,
  verdictBitmap: natural,
  attestedBitmap: natural,
});

export const roundRecordSchema = z.strictObject({
  head: word,
  parentRound: natural,
  finalisedBlock: natural,
  reportedLoss: natural,
  kept: wide,
});

export const rosterRecordSchema = z.strictObject({
  signer: address,
  encryptionKey: word,
  maxSamples: natural,
  since: natural,
  version: natural,
  active: flag,
  suspended: flag,
});

export const validatorSeatsSchema = z
  .array(z.strictObject({ id: positive, signer: address, encryptionKey: word }))
  .max(32);

export const auditorsSchema = z.strictObject({ ids: z.array(positive).max(64), encryptionKeys: z.array(word).max(64) });

export const participantSchema = z.strictObject({ role: natural.max(3), id: natural });

export const beaconChainSchema = z.strictObject({ tip: word, registeredBlock: natural });

export const standingSchema = z.strictObject({
  reputation: natural.max(65_536),
  contribution: wide,
  participation: natural,
  reward: wide,
  known: flag,
  claimed: flag,
});

export const rewardAccountSchema = z.strictObject({
  sponsor: address,
  token: address,
  pool: wide,
  disputeBond: wide,
  bondsAtStake: wide,
  challengeBlocks: natural,
  alphaQ16: natural,
  omegaQ16: natural,
  windowEnd: natural,
  pendingVoids: natural,
  settled: flag,
  refund: wide,
  scoring: natural,
  pendingScores: natural,
});

export const attestedRoundSchema = z.strictObject({
  revealEnd: natural,
  bookAfter: natural,
  revealed: natural,
  booked: flag,
  voided: flag,
});

export const committedSchema = z.strictObject({
  run: wide,
  round: positive,
  memberId: positive,
  commitIndex: natural.max(31),
  artifactDigest: word,
  artifactCid: word,
  samples: positive,
  lossCommitment: wide,
  extension: word,
  signature: bytes,
});

export const verdictSchema = z.strictObject({
  run: wide,
  round: positive,
  validatorId: positive,
  validatorIndex: natural.max(31),
  bitmap: natural,
  codes: bytes,
  reveal: word,
});

export const attestedSchema = z.strictObject({
  run: wide,
  round: positive,
  validatorId: positive,
  validatorIndex: natural.max(31),
  seal: word,
});

export const scoresCommittedSchema = z.strictObject({
  run: wide,
  round: positive,
  validatorId: positive,
  validatorIndex: natural.max(31),
  commitment: word,
});

export const scoresRevealedSchema = z.strictObject({
  run: wide,
  round: positive,
  validatorId: positive,
  validatorIndex: natural.max(31),
  scores: z.array(integer).max(32),
  salt: word,
});

export const scoresBookedSchema = z.strictObject({
  run: wide,
  round: positive,
  reveals: wide.transform(Number),
  memberIds: z.array(positive).max(32),
  scores: z.array(integer).max(32),
});

const pair = z.tuple([wide, wide]);
const proofSchema = z.strictObject({ a: pair, b: z.tuple([pair, pair]), c: pair });

export const roundResultSchema = z.strictObject({
  run: wide,
  round: positive,
  head: word,
  accepted: wide,
  kept: wide,
  participantsRoot: word,
  modelRoot: word,
  checkpointCid: word,
  updateNormSq: wide,
  reportedLoss: natural,
  scoresDigest: word,
  beacon: word,
  extension: word,
});

export const finalisedSchema = z.strictObject({
  run: wide,
  round: positive,
  head: word,
  proposer: address,
  agreeing: natural,
  result: roundResultSchema,
  weights: z.array(natural),
  scores: z.array(integer),
  bindingDigest: wide,
  proof: proofSchema,
});

export const settledSchema = z.strictObject({
  run: wide,
  pool: wide,
  refund: wide,
  memberIds: z.array(positive),
  rewards: z.array(wide),
});

export const scoresVoidedSchema = z.looseObject({ run: wide, round: positive });
export const chainRegisteredSchema = z.strictObject({ run: wide, validatorId: positive, end: word });
export const claimedSchema = z.strictObject({ run: wide, memberId: positive, account: address, amount: wide });
export const roundOpenedSchema = z.looseObject({ run: wide, round: positive });

/** Checks a decoded value's shape. @throws DecodeError naming the call or event. */
export function shaped<T extends z.ZodType>(schema: T, what: string, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new DecodeError(`${what} is not what this version of the client expects: ${z.prettifyError(parsed.error)}`, {
    what,
  });
}
