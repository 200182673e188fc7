// SPDX-License-Identifier: Apache-2.0
import { abiEncode, abiSignedWord, addressBytes } from "./abi.ts";
import { ByteWriter, concatBytes, fromHex, type Hex, toHex } from "./bytes.ts";
import { keccak256, tag } from "./hash.ts";
import { merkleLeaf, merkleRoot } from "./merkle.ts";

/** T: everything a round decides. A deterministic function of chain and store, so honest validators compute the same one. */
export interface RoundResult {
  readonly run: bigint;
  readonly round: number;
  /** Parent: the run's head before this round. */
  readonly head: Hex;
  /** Bitmaps by commit index. */
  readonly accepted: bigint;
  readonly kept: bigint;
  readonly participantsRoot: Hex;
  /** Chunk root of the new checkpoint file. */
  readonly modelRoot: Hex;
  readonly checkpointCid: Hex;
  /** ‖w^t − w^{t−1}‖² in units 2^-2(F_max+16). */
  readonly updateNormSq: bigint;
  /** L in units 2^-16 nats: about the *received* model w^{t−1}. */
  readonly reportedLoss: number;
  readonly scoresDigest: Hex;
  /** R_t. */
  readonly beacon: Hex;
  readonly extension: Hex;
}

/** The thirteen words of a RoundResult, as `abi.encode` lays a static struct out inline. */
function resultWords(result: RoundResult): Uint8Array {
  return abiEncode(
    result.run,
    result.round,
    fromHex(result.head, 32),
    result.accepted,
    result.kept,
    fromHex(result.participantsRoot, 32),
    fromHex(result.modelRoot, 32),
    fromHex(result.checkpointCid, 32),
    result.updateNormSq,
    result.reportedLoss,
    fromHex(result.scoresDigest, 32),
    fromHex(result.beacon, 32),
    fromHex(result.extension, 32),
  );
}

/** Where seals and heads belong: a chain and its ProofOfTraining contract. */
export interface ProofDomain {
  readonly chainId: bigint;
  readonly proofOfTraining: string;
}

/** The sealed attestation of one validator: nobody who does not know T can make it, and nobody can copy another's. */
export function attestationSeal(result: RoundResult, validatorSigner: string, domain: ProofDomain): Hex {
  const head = abiEncode(tag("attestation"), domain.chainId, addressBytes(domain.proofOfTraining));
  return toHex(keccak256(concatBytes(head, resultWords(result), abiEncode(addressBytes(validatorSigner)))));
}

/** h^t, the link that lineage is made of. */
export function roundHead(
  result: RoundResult,
  binding: { validatorSetDigest: Hex; ruleId: Hex; paramsDigest: Hex },
  domain: ProofDomain,
): Hex {
  const head = abiEncode(tag("head"), domain.chainId, addressBytes(domain.proofOfTraining));
  const tail = abiEncode(
    fromHex(binding.validatorSetDigest, 32),
    fromHex(binding.ruleId, 32),
    fromHex(binding.paramsDigest, 32),
  );
  return toHex(keccak256(concatBytes(head, resultWords(result), tail)));
}

/** h^0: binds the initial checkpoint and the run's parameters. */
export function genesisHead(genesis: {
  chainId: bigint;
  ledger: string;
  run: bigint;
  paramsDigest: Hex;
  initialModelRoot: Hex;
  initialCheckpointCid: Hex;
}): Hex {
  return toHex(
    keccak256(
      abiEncode(
        tag("genesis"),
        genesis.chainId,
        addressBytes(genesis.ledger),
        genesis.run,
        fromHex(genesis.paramsDigest, 32),
        fromHex(genesis.initialModelRoot, 32),
        fromHex(genesis.initialCheckpointCid, 32),
      ),
    ),
  );
}

/** One accepted update as the participants' tree records it. */
export interface Participant {
  readonly memberId: number;
  readonly commitIndex: number;
  readonly artifactDigest: Hex;
  readonly artifactCid: Hex;
  readonly samples: number;
  readonly lossCommitment: bigint;
  /** Row of λ: one weight per tensor group, units 2^-16. */
  readonly weights: readonly number[];
}

function participantData(participant: Participant): Uint8Array {
  const writer = new ByteWriter()
    .u32(participant.memberId)
    .u32(participant.commitIndex)
    .bytes(fromHex(participant.artifactDigest, 32))
    .bytes(fromHex(participant.artifactCid, 32))
    .u32(participant.samples)
    .uint(participant.lossCommitment, 32);
  for (const weight of participant.weights) writer.u32(weight);
  return writer.finish();
}

/** Merkle root over the accepted updates, which the caller gives in ascending member id. */
export function participantsRoot(participants: readonly Participant[]): Hex {
  return toHex(merkleRoot(participants.map((participant) => merkleLeaf(participantData(participant)))));
}

/** Digest of the scores of the accepted updates, a signed word each, in ascending member id. */
export function scoresDigest(scores: readonly number[]): Hex {
  return toHex(keccak256(concatBytes(...scores.map((score) => abiSignedWord(BigInt(score))))));
}
