// SPDX-License-Identifier: Apache-2.0
import { AbiCoder, type ContractTransactionReceipt, keccak256 as keccakHex, Result, SigningKey } from "ethers";
import {
  attestationSeal,
  participantsRoot,
  type RoundResult,
  scoresDigest,
} from "../../../src/protocol/attestation.ts";
import { nextBeacon } from "../../../src/protocol/beacon.ts";
import { bitsOf, hasBit } from "../../../src/protocol/bitmap.ts";
import { type Hex, toHex } from "../../../src/protocol/bytes.ts";
import { commitmentDigest, type UpdateCommitment, ZERO_WORD } from "../../../src/protocol/commitment.ts";
import { tag } from "../../../src/protocol/hash.ts";
import { ruleId } from "../../../src/protocol/recipe.ts";
import { acceptedBitmap } from "../../../src/protocol/schedule.ts";
import { beaconChain, type Party, read, send, type World, word } from "./world.ts";

export const FIELD = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;

/** Parameters of openRun as a test may vary them. */
export type Params = Record<string, unknown>;

export function defaultParams(world: World, overrides: Params = {}): Params {
  return {
    recipeDigest: word("recipe"),
    recipeCid: word("recipe cid"),
    ruleId: ruleId("weighted-mean", 1),
    initialModelRoot: word("initial model"),
    initialCheckpointCid: word("initial checkpoint"),
    rounds: 3,
    maxOpenings: 8,
    cohort: 1000,
    capacity: 8,
    minAccepted: 3,
    commitBlocks: 20,
    judgeBlocks: 20,
    fetchBlocks: 5,
    attestBlocks: 20,
    viewBlocks: 5,
    challengeBlocks: 10,
    alphaQ16: 52_429,
    omegaQ16: 45_875,
    verifier: world.addresses.verifier,
    token: world.addresses.token,
    pool: 1_000_003n,
    disputeBond: 500n,
    scoring: 0,
    ...overrides,
  };
}

/** Opens a run with the pool minted and approved, and every validator's hash chain registered. */
export async function openRun(world: World, overrides: Params = {}): Promise<bigint> {
  const params = defaultParams(world, overrides);
  await send(world.admin, world.token, "mint", [world.admin.address, params.pool]);
  await send(world.admin, world.token, "approve", [world.addresses.rewards, params.pool]);
  await send(world.admin, world.ledger, "openRun", [params]);
  const run: bigint = await read(world.ledger, "runCount");
  for (const validator of world.validators) {
    await send(validator.account, world.ledger, "registerBeaconChain", [run, beaconChain(validator, run)[0]]);
  }
  return run;
}

/** A commit as a test made it, with its place. */
export interface Committed {
  readonly member: Party;
  readonly commitIndex: number;
  readonly commitment: UpdateCommitment;
}

export async function openRound(world: World, run: bigint, by = world.validators[0] as Party): Promise<number> {
  await send(by.account, world.ledger, "openRound", [run]);
  return Number((await read(world.ledger, "runOf", [run])).lastRound);
}

/** What a member would commit, with fields that a test may falsify. */
export async function commitmentOf(
  world: World,
  run: bigint,
  round: number,
  member: Party,
  overrides: Partial<UpdateCommitment> = {},
): Promise<UpdateCommitment> {
  const { head } = await read(world.ledger, "runOf", [run]);
  return {
    run,
    round,
    head,
    memberId: member.id,
    artifactDigest: word(`artifact ${run} ${round} ${member.id}`),
    artifactCid: word(`cid ${run} ${round} ${member.id}`),
    samples: 100 + member.id,
    lossCommitment: BigInt(word(`loss ${run} ${round} ${member.id}`)) % FIELD,
    extension: ZERO_WORD,
    ...overrides,
  };
}

export function sign(
  world: World,
  member: Party,
  commitment: UpdateCommitment,
  chainId = world.chainId,
  ledger = world.addresses.ledger,
): string {
  return new SigningKey(member.wallet.privateKey).sign(commitmentDigest(commitment, chainId, ledger)).serialized;
}

/** Commits for a member; anyone may send it, so a stranger does. */
export async function commit(
  world: World,
  run: bigint,
  round: number,
  member: Party,
  overrides: Partial<UpdateCommitment> = {},
): Promise<{ commitment: UpdateCommitment; receipt: ContractTransactionReceipt }> {
  const commitment = await commitmentOf(world, run, round, member, overrides);
  const receipt = await send(world.outsider, world.ledger, "commit", [commitment, sign(world, member, commitment)]);
  return { commitment, receipt };
}

/** Codes that go with a bitmap: refused means NOT_SERVED. */
export function codesFor(bitmap: bigint, commits: number): string {
  return toHex(Uint8Array.from({ length: commits }, (_, i) => (hasBit(bitmap, i) ? 0 : 1)));
}

/** The preimage a validator reveals in its `count`-th verdict of the run (from 1). */
export async function nextReveal(world: World, run: bigint, validator: Party): Promise<Hex> {
  const [tip] = await read(world.ledger, "beaconChainOf", [run, validator.id]);
  const chain = beaconChain(validator, run);
  return chain[chain.indexOf(tip) + 1] as Hex;
}

export async function giveVerdict(
  world: World,
  run: bigint,
  round: number,
  validator: Party,
  bitmap: bigint,
  commits: number,
): Promise<ContractTransactionReceipt> {
  const reveal = await nextReveal(world, run, validator);
  return send(validator.account, world.ledger, "verdict", [run, round, bitmap, codesFor(bitmap, commits), reveal]);
}

export interface RoundPlan {
  /** Members that commit, in this order; default all. */
  readonly committers?: readonly Party[];
  /** Verdict bitmaps by validator index; undefined is silence; default yes to all. */
  readonly verdicts?: readonly (bigint | undefined)[];
  /** Kept bitmap, default all accepted. */
  readonly kept?: bigint;
  /** Scores by memberId, default 1000·memberId. */
  readonly scores?: Readonly<Record<number, number>>;
  /** Weight columns, default 1. */
  readonly groups?: number;
  /** Validators that attest, default all. */
  readonly attesters?: readonly Party[];
  readonly result?: Partial<RoundResult>;
}

/** Everything a played round consists of, computed by the TypeScript side. */
export interface PlayedRound {
  readonly run: bigint;
  readonly round: number;
  readonly committed: readonly Committed[];
  readonly result: RoundResult;
  readonly finalisation: Finalisation;
}

export interface Finalisation {
  kept: bigint;
  committed: readonly Record<string, unknown>[];
  weights: readonly number[];
  scores: readonly number[];
  modelRoot: Hex;
  checkpointCid: Hex;
  updateNormSq: bigint;
  reportedLoss: number;
  extension: Hex;
  bindingDigest: bigint;
  proof: { a: bigint[]; b: bigint[][]; c: bigint[] };
}

/** Opens a round and has the committers commit. */
export async function playCommits(
  world: World,
  run: bigint,
  plan: RoundPlan = {},
): Promise<{ round: number; committed: Committed[] }> {
  const round = await openRound(world, run);
  const committed: Committed[] = [];
  for (const [commitIndex, member] of (plan.committers ?? world.members).entries()) {
    const { commitment } = await commit(world, run, round, member);
    committed.push({ member, commitIndex, commitment });
  }
  return { round, committed };
}

/** Opens, commits, judges. The phases end early where everyone acts; otherwise the caller moves on. */
export async function playJudged(world: World, run: bigint, plan: RoundPlan = {}): Promise<PlayedRound> {
  const { round, committed } = await playCommits(world, run, plan);
  await skipPhase(world, run, round, "commitEnd");
  const everyone = (1n << BigInt(committed.length)) - 1n;
  const verdicts = plan.verdicts ?? world.validators.map(() => everyone);
  for (const [index, bitmap] of verdicts.entries()) {
    if (bitmap === undefined) continue;
    await giveVerdict(world, run, round, world.validators[index] as Party, bitmap, committed.length);
  }
  await skipPhase(world, run, round, "judgeEnd");
  return describeRound(world, run, round, committed, plan);
}

/** What honest validators make of a judged round. */
export async function describeRound(
  world: World,
  run: bigint,
  round: number,
  committed: readonly Committed[],
  plan: RoundPlan = {},
): Promise<PlayedRound> {
  const view = await read(world.ledger, "roundOf", [run, round]);
  const everyone = (1n << BigInt(committed.length)) - 1n;
  const verdicts = (plan.verdicts ?? world.validators.map(() => everyone)).filter((bitmap) => bitmap !== undefined);
  const accepted = acceptedBitmap(verdicts, committed.length, world.validators.length);
  const kept = view.closing ? 0n : (plan.kept ?? accepted);
  const ascending = [...committed].sort((a, b) => a.member.id - b.member.id);
  const participants = ascending.filter(({ commitIndex }) => hasBit(accepted, commitIndex));
  const groups = plan.groups ?? 1;
  const keptCount = bitsOf(kept).length;
  const rows = participants.map(({ commitIndex }) =>
    Array.from({ length: groups }, () => (hasBit(kept, commitIndex) ? Math.floor(65_536 / keptCount) : 0)),
  );
  const scores = participants.map(({ member, commitIndex }) =>
    hasBit(kept, commitIndex) ? (plan.scores?.[member.id] ?? 1000 * member.id) : 0,
  );
  const parent = await read(world.ledger, "runOf", [run]);
  const reveals = await revealsOf(world, run, round, plan);

  const result: RoundResult = {
    run,
    round,
    head: parent.head,
    accepted,
    kept,
    participantsRoot: participantsRoot(
      participants.map(({ commitment, commitIndex }, i) => ({
        ...commitment,
        commitIndex,
        weights: rows[i] as number[],
      })),
    ),
    modelRoot: view.closing ? parent.modelRoot : word(`model ${run} ${round}`),
    checkpointCid: view.closing ? parent.checkpointCid : word(`checkpoint ${run} ${round}`),
    updateNormSq: view.closing ? 0n : 12_345n * BigInt(round),
    reportedLoss: 150_000 - round,
    scoresDigest: scoresDigest(scores),
    beacon: nextBeacon(view.beaconBefore, reveals),
    extension: ZERO_WORD,
    ...plan.result,
  };
  const lossVector = [
    (run << 32n) | BigInt(round),
    ...participants.flatMap(({ commitment: { lossCommitment, memberId, samples } }) => [
      lossCommitment,
      (BigInt(memberId) << 32n) | BigInt(samples),
    ]),
  ];
  const bindingDigest = BigInt(word(`binding ${run} ${round}`)) % FIELD;
  const finalisation: Finalisation = {
    kept,
    committed: ascending.map(({ commitment, commitIndex }) => ({ ...commitment, commitIndex })),
    weights: rows.flat(),
    scores,
    modelRoot: result.modelRoot,
    checkpointCid: result.checkpointCid,
    updateNormSq: result.updateNormSq,
    reportedLoss: result.reportedLoss,
    extension: result.extension,
    bindingDigest,
    proof: transparentProof(world, result, lossVector, bindingDigest),
  };
  return { run, round, committed, result, finalisation };
}

async function revealsOf(world: World, run: bigint, round: number, plan: RoundPlan): Promise<Hex[]> {
  const filter = world.ledger.filters.Verdict?.(run, round);
  if (filter === undefined) throw new Error("The ledger has no Verdict event.");
  const logs = await world.ledger.queryFilter(filter);
  const reveals = new Map(
    logs.map((log) => {
      const args = "args" in log ? log.args : new Result();
      return [Number(args.getValue("validatorIndex")), args.getValue("reveal") as Hex];
    }),
  );
  const silent = plan.verdicts?.filter((bitmap) => bitmap === undefined).length ?? 0;
  if (reveals.size !== (plan.verdicts?.length ?? world.validators.length) - silent)
    throw new Error("Verdicts are missing.");
  return [...reveals].sort(([a], [b]) => a - b).map(([, reveal]) => reveal);
}

/** r and E of the proof of reported loss (docs/protocol.md), and the test verifier's proof for them. */
export function transparentProof(
  world: World,
  result: RoundResult,
  v: readonly bigint[],
  bindingDigest: bigint,
): Finalisation["proof"] {
  const { r, evaluation } = lossChallenge(world.chainId, world.addresses.proof, result, v, bindingDigest);
  const signals = AbiCoder.defaultAbiCoder().encode(
    ["uint256[4]"],
    [[bindingDigest, r, evaluation, result.reportedLoss]],
  );
  return {
    a: [BigInt(keccakHex(signals)), 0n],
    b: [
      [0n, 0n],
      [0n, 0n],
    ],
    c: [0n, 0n],
  };
}

export function lossChallenge(
  chainId: bigint,
  proofOfTraining: string,
  result: Pick<RoundResult, "run" | "round" | "head" | "reportedLoss">,
  v: readonly bigint[],
  bindingDigest: bigint,
): { r: bigint; evaluation: bigint } {
  const coder = AbiCoder.defaultAbiCoder();
  const vectorDigest = keccakHex(
    coder.encode(
      v.map(() => "uint256"),
      v,
    ),
  );
  const types = ["bytes32", "uint256", "address", "uint64", "uint32", "bytes32", "uint32", "bytes32", "uint256"];
  const values = [
    toHex(tag("binding")),
    chainId,
    proofOfTraining,
    result.run,
    result.round,
    result.head,
    result.reportedLoss,
    vectorDigest,
    bindingDigest,
  ];
  const r = BigInt(keccakHex(coder.encode(types, values))) % FIELD;
  let evaluation = 0n;
  let power = 1n;
  for (const element of v) {
    evaluation = (evaluation + element * power) % FIELD;
    power = (power * r) % FIELD;
  }
  return { r, evaluation };
}

export function sealOf(world: World, result: RoundResult, validator: Party): Hex {
  return attestationSeal(result, validator.wallet.address, {
    chainId: world.chainId,
    proofOfTraining: world.addresses.proof,
  });
}

export async function attest(world: World, played: PlayedRound, validator: Party): Promise<ContractTransactionReceipt> {
  return send(validator.account, world.proof, "attest", [
    played.run,
    played.round,
    sealOf(world, played.result, validator),
  ]);
}

/** Opens, commits, judges, attests; the next transaction can finalise. */
export async function playAttested(world: World, run: bigint, plan: RoundPlan = {}): Promise<PlayedRound> {
  const played = await playJudged(world, run, plan);
  for (const validator of plan.attesters ?? world.validators) await attest(world, played, validator);
  await skipPhase(world, run, played.round, "attestEnd");
  return played;
}

/** Proposer of view 0. */
export function proposerOf(world: World, round: number, turn = 0): Party {
  return world.validators[(round + turn) % world.validators.length] as Party;
}

export async function finalise(
  world: World,
  played: PlayedRound,
  from = proposerOf(world, played.round),
): Promise<ContractTransactionReceipt> {
  return send(from.account, world.proof, "finalise", [played.run, played.round, played.finalisation]);
}

export async function playRound(
  world: World,
  run: bigint,
  plan: RoundPlan = {},
): Promise<PlayedRound & { receipt: ContractTransactionReceipt }> {
  const played = await playAttested(world, run, plan);
  return { ...played, receipt: await finalise(world, played) };
}

/** Mines until the next transaction lands after a phase's end. */
export async function skipPhase(
  world: World,
  run: bigint,
  round: number,
  end: "commitEnd" | "judgeEnd" | "attestEnd" | "finaliseDeadline",
): Promise<void> {
  const view = await read(world.ledger, "roundOf", [run, round]);
  const next = (await world.connection.ethers.provider.getBlockNumber()) + 1;
  const missing = Number(view[end]) + 1 - next;
  if (missing > 0)
    await world.connection.provider.request({ method: "hardhat_mine", params: [`0x${missing.toString(16)}`] });
}
