// SPDX-License-Identifier: Apache-2.0
import { AbiCoder, Interface, keccak256 as keccakHex } from "ethers";
import { Administration } from "../../../src/chain/administration.ts";
import { readArtifact } from "../../../src/chain/artifacts.ts";
import { ChainEndpoint } from "../../../src/chain/chainEndpoint.ts";
import { deployFederation } from "../../../src/chain/deploy.ts";
import type { Deployment } from "../../../src/chain/deployment.ts";
import type { DevelopmentAccount } from "../../../src/chain/developmentAccounts.ts";
import { type EmbeddedChain, startEmbeddedChain } from "../../../src/chain/embeddedChain.ts";
import { connectLedger } from "../../../src/chain/ledgerClient.ts";
import type { RpcLedgerWriter } from "../../../src/chain/ledgerWriter.ts";
import { TransactionSender } from "../../../src/chain/transactionSender.ts";
import {
  attestationSeal,
  participantsRoot,
  type RoundResult,
  scoresDigest,
} from "../../../src/protocol/attestation.ts";
import { hashChain, nextBeacon } from "../../../src/protocol/beacon.ts";
import { bindingChallenge, bindingVector, evaluateBinding } from "../../../src/protocol/binding.ts";
import { hasBit } from "../../../src/protocol/bitmap.ts";
import { type Hex, toHex, utf8 } from "../../../src/protocol/bytes.ts";
import { type UpdateCommitment, ZERO_WORD } from "../../../src/protocol/commitment.ts";
import { FIELD_ORDER } from "../../../src/protocol/field.ts";
import { keccak256 } from "../../../src/protocol/hash.ts";
import type { Finalisation, RunParams } from "../../../src/protocol/ledger.ts";
import { ruleId } from "../../../src/protocol/recipe.ts";

/** keccak256 of a text: a word that a test can name. */
export function word(text: string): Hex {
  return toHex(keccak256(utf8(text)));
}

export interface Party {
  readonly id: number;
  readonly account: DevelopmentAccount;
  readonly ledger: RpcLedgerWriter;
}

/** A federation of four validators and four members on an embedded chain, everybody with a client. */
export interface Federation {
  readonly chain: EmbeddedChain;
  readonly endpoint: ChainEndpoint;
  readonly deployment: Deployment;
  readonly admin: Administration;
  readonly validators: readonly Party[];
  readonly members: readonly Party[];
  /** A funded account without a role. */
  readonly outsider: DevelopmentAccount;
  /** Verifier that takes `transparentProof`. */
  readonly verifier: string;
  stop(): Promise<void>;
}

const COUNT = 4;

export async function startFederation(options: { blockMs?: number } = {}): Promise<Federation> {
  const chain = await startEmbeddedChain({ accounts: 2 + 2 * COUNT, blockMs: options.blockMs ?? 40 });
  const [adminAccount, outsider, ...rest] = chain.accounts as [
    DevelopmentAccount,
    DevelopmentAccount,
    ...DevelopmentAccount[],
  ];
  const endpoint = await ChainEndpoint.connect({ rpcUrl: chain.rpcUrl, pollingMs: 10 });
  const keys = (account: DevelopmentAccount) => ({
    signer: account.address,
    encryptionKey: word(`encryption ${account.address}`),
  });
  const deployment = await deployFederation({
    endpoint,
    deployerKey: adminAccount.privateKey,
    admin: adminAccount.address,
    validators: rest.slice(0, COUNT).map(keys),
    developmentToken: true,
  });
  const admin = new Administration(endpoint, deployment.addresses, adminAccount.privateKey);
  const party = async (account: DevelopmentAccount, index: number): Promise<Party> => ({
    id: index + 1,
    account,
    ledger: await connectLedger({ endpoint, addresses: deployment.addresses, privateKey: account.privateKey }),
  });
  const memberAccounts = rest.slice(COUNT);
  // One after the other: ids are given in the order of the transactions, and tests count on member i having id i.
  for (const [i, account] of memberAccounts.entries()) {
    const { memberId } = await admin.admitMember({ ...keys(account), maxSamples: 1000, name: `Member ${i + 1}` });
    if (memberId !== i + 1) throw new Error(`Member ${i + 1} was admitted as ${memberId}.`);
  }
  return {
    chain,
    endpoint,
    deployment,
    admin,
    outsider,
    validators: await Promise.all(rest.slice(0, COUNT).map(party)),
    members: await Promise.all(memberAccounts.map(party)),
    verifier: await deployTransparentVerifier(endpoint, outsider),
    stop: async () => {
      endpoint.close();
      await chain.stop();
    },
  };
}

async function deployTransparentVerifier(endpoint: ChainEndpoint, account: DevelopmentAccount): Promise<string> {
  const { abi, bytecode } = await readArtifact("TransparentVerifier");
  const data = `${bytecode}${new Interface(abi).encodeDeploy([8, true]).slice(2)}` as Hex;
  const mined = await new TransactionSender(endpoint, account.privateKey).send(
    { to: null, data },
    "creation of TransparentVerifier",
  );
  return mined.contractAddress as string;
}

export function runParams(federation: Federation, overrides: Partial<RunParams> = {}): RunParams {
  return {
    recipeDigest: word("recipe"),
    recipeCid: word("recipe cid"),
    ruleId: ruleId("weighted-mean", 1),
    initialModelRoot: word("initial model"),
    initialCheckpointCid: word("initial checkpoint"),
    rounds: 1,
    maxOpenings: 9,
    cohort: 100,
    capacity: 8,
    minAccepted: 3,
    commitBlocks: 400,
    judgeBlocks: 400,
    fetchBlocks: 100,
    attestBlocks: 400,
    viewBlocks: 50,
    challengeBlocks: 200,
    alphaQ16: 52_429,
    omegaQ16: 45_875,
    verifier: federation.verifier,
    token: federation.deployment.token as string,
    pool: 1_000_003n,
    disputeBond: 0n,
    scoring: 0,
    ...overrides,
  };
}

/** Opens a run with its pool, and registers every validator's hash chain. */
export async function openRun(
  federation: Federation,
  overrides: Partial<RunParams> = {},
): Promise<{ run: bigint; params: RunParams }> {
  const params = runParams(federation, overrides);
  const { admin } = federation;
  await admin.mint(params.token, admin.account, params.pool);
  await admin.approve(params.token, params.pool);
  const { run } = await admin.openRun(params);
  await Promise.all(
    federation.validators.map(
      async (validator) => await validator.ledger.registerBeaconChain(run, chainOf(validator, run)[0] as Hex),
    ),
  );
  return { run, params };
}

export function chainOf(validator: Party, run: bigint): Hex[] {
  return hashChain(utf8(`secret of validator ${validator.id}`), run, 16);
}

/** The preimage that a validator's next verdict reveals. */
export async function nextReveal(validator: Party, run: bigint): Promise<Hex> {
  const chain = chainOf(validator, run);
  const tip = await validator.ledger.beaconTip(run, validator.id);
  return chain[chain.indexOf(tip as Hex) + 1] as Hex;
}

export async function commitmentOf(member: Party, run: bigint, round: number): Promise<UpdateCommitment> {
  const { head } = await member.ledger.roundView(run, round);
  return {
    run,
    round,
    head,
    memberId: member.id,
    artifactDigest: word(`artifact ${run} ${round} ${member.id}`),
    artifactCid: word(`cid ${run} ${round} ${member.id}`),
    samples: 100 + member.id,
    lossCommitment: BigInt(word(`loss ${run} ${round} ${member.id}`)) % FIELD_ORDER,
    extension: ZERO_WORD,
  };
}

/** Opens a round and lets every member commit. @returns the commitments by member. */
export async function playCommits(
  federation: Federation,
  run: bigint,
): Promise<{ round: number; commitments: readonly UpdateCommitment[] }> {
  const opener = federation.validators[0] as Party;
  await opener.ledger.openRound(run);
  const { lastRound: round } = await opener.ledger.runView(run);
  const commitments: UpdateCommitment[] = [];
  for (const member of federation.members) {
    const commitment = await commitmentOf(member, run, round);
    commitments.push(commitment);
    await member.ledger.commit(commitment, await member.ledger.signCommitment(commitment));
  }
  return { round, commitments };
}

export const ALL_YES = 0b1111n;
export const NO_REFUSALS = new Uint8Array(COUNT);

export async function playVerdicts(federation: Federation, run: bigint, round: number): Promise<void> {
  await Promise.all(
    federation.validators.map(async (validator) => {
      await validator.ledger.verdict(run, round, ALL_YES, NO_REFUSALS, await nextReveal(validator, run));
    }),
  );
}

/**
 * The result all honest validators compute of a judged round in which everybody committed in order, and what its proposer sends.
 *
 * @param keep commit indices of what is kept, as a bitmap; a closing round keeps nothing.
 */
export async function decide(
  federation: Federation,
  run: bigint,
  round: number,
  commitments: readonly UpdateCommitment[],
  keep = ALL_YES,
): Promise<{ result: RoundResult; finalisation: Finalisation }> {
  const { ledger } = federation.validators[0] as Party;
  const [view, runView, verdicts, commits] = await Promise.all([
    ledger.roundView(run, round),
    ledger.runView(run),
    ledger.verdicts(run, round),
    ledger.commits(run, round),
  ]);
  const indexOf = (memberId: number) =>
    commits.find((commit) => commit.commitment.memberId === memberId)?.commitIndex as number;
  const kept = view.closing ? 0n : keep;
  const isKept = ({ memberId }: UpdateCommitment) => hasBit(kept, indexOf(memberId));
  const weight = Math.floor(65_536 / commitments.filter(isKept).length);
  const weights = commitments.map((commitment) => (isKept(commitment) ? weight : 0));
  const scores = commitments.map((commitment) => (isKept(commitment) ? 1000 * commitment.memberId : 0));
  const reveals = [...verdicts].sort((a, b) => a.validatorIndex - b.validatorIndex).map(({ reveal }) => reveal);
  const result: RoundResult = {
    run,
    round,
    head: view.head,
    accepted: ALL_YES,
    kept,
    participantsRoot: participantsRoot(
      commitments.map((commitment, i) => ({
        ...commitment,
        commitIndex: indexOf(commitment.memberId),
        weights: [weights[i] as number],
      })),
    ),
    modelRoot: view.closing ? runView.modelRoot : word(`model ${run} ${round}`),
    checkpointCid: view.closing ? runView.checkpointCid : word(`checkpoint ${run} ${round}`),
    updateNormSq: view.closing ? 0n : 12_345n,
    reportedLoss: 150_000 - round,
    scoresDigest: scoresDigest(scores),
    beacon: nextBeacon(view.beaconBefore, reveals),
    extension: ZERO_WORD,
  };
  const bindingDigest = BigInt(word(`binding ${run} ${round}`)) % FIELD_ORDER;
  const vector = bindingVector(run, round, commitments);
  const domain = { chainId: ledger.chainId, proofOfTraining: ledger.addresses.proofOfTraining };
  const challenge = bindingChallenge(
    { ...domain, run, round, head: view.head, reportedLoss: result.reportedLoss },
    vector,
    bindingDigest,
  );
  const signals = [bindingDigest, challenge, evaluateBinding(vector, challenge), BigInt(result.reportedLoss)];
  const transparent = BigInt(keccakHex(AbiCoder.defaultAbiCoder().encode(["uint256[4]"], [signals])));
  const finalisation: Finalisation = {
    kept: result.kept,
    committed: commitments.map(({ memberId, artifactDigest, artifactCid, samples, lossCommitment }) => ({
      memberId,
      commitIndex: indexOf(memberId),
      artifactDigest,
      artifactCid,
      samples,
      lossCommitment,
    })),
    weights,
    scores,
    modelRoot: result.modelRoot,
    checkpointCid: result.checkpointCid,
    updateNormSq: result.updateNormSq,
    reportedLoss: result.reportedLoss,
    extension: ZERO_WORD,
    bindingDigest,
    proof: {
      a: [transparent, 0n],
      b: [
        [0n, 0n],
        [0n, 0n],
      ],
      c: [0n, 0n],
    },
  };
  return { result, finalisation };
}

export function sealOf(result: RoundResult, validator: Party): Hex {
  const { chainId, addresses } = validator.ledger;
  return attestationSeal(result, validator.account.address, { chainId, proofOfTraining: addresses.proofOfTraining });
}

/** Validator whose turn it is to finalise in view 0. */
export function proposerOf(federation: Federation, round: number): Party {
  return federation.validators[round % COUNT] as Party;
}

/** Plays a whole round, closing rounds included. @param keep as of {@link decide}. */
export async function playRound(
  federation: Federation,
  run: bigint,
  keep = ALL_YES,
): Promise<{ round: number; result: RoundResult; finalisation: Finalisation }> {
  const { round, commitments } = await playCommits(federation, run);
  await playVerdicts(federation, run, round);
  const { result, finalisation } = await decide(federation, run, round, commitments, keep);
  await Promise.all(
    federation.validators.map((validator) => validator.ledger.attest(run, round, sealOf(result, validator))),
  );
  await proposerOf(federation, round).ledger.finalise(run, round, finalisation);
  return { round, result, finalisation };
}
