// SPDX-License-Identifier: Apache-2.0
import { abiEncode, addressBytes } from "./abi.ts";
import { concatBytes, fromHex, type Hex, toHex, utf8 } from "./bytes.ts";
import { keccak256 } from "./hash.ts";

/** What a member signs when it commits an update (docs/protocol.md, Commit). */
export interface UpdateCommitment {
  readonly run: bigint;
  readonly round: number;
  /** The run's head h the update was computed from. */
  readonly head: Hex;
  readonly memberId: number;
  /** Chunk root of the artifact. */
  readonly artifactDigest: Hex;
  /** sha2-256 digest of the artifact's CID. */
  readonly artifactCid: Hex;
  /** n_i, the samples trained on. */
  readonly samples: number;
  /** Poseidon commitment to the loss of the received model. */
  readonly lossCommitment: bigint;
  readonly extension: Hex;
}

export const ZERO_WORD: Hex = `0x${"00".repeat(32)}`;

export const UPDATE_COMMITMENT_TYPE =
  "UpdateCommitment(uint64 run,uint32 round,bytes32 head,uint32 memberId,bytes32 artifactDigest,bytes32 artifactCid,uint32 samples,uint256 lossCommitment,bytes32 extension)";

const DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";

/** EIP-712 digest that the member's signer signs: bound to one chain and one ledger. */
export function commitmentDigest(commitment: UpdateCommitment, chainId: bigint, ledger: string): Uint8Array {
  const domain = keccak256(
    abiEncode(
      keccak256(utf8(DOMAIN_TYPE)),
      keccak256(utf8("Foedus")),
      keccak256(utf8("1")),
      chainId,
      addressBytes(ledger),
    ),
  );
  const struct = keccak256(
    abiEncode(
      keccak256(utf8(UPDATE_COMMITMENT_TYPE)),
      commitment.run,
      commitment.round,
      fromHex(commitment.head, 32),
      commitment.memberId,
      fromHex(commitment.artifactDigest, 32),
      fromHex(commitment.artifactCid, 32),
      commitment.samples,
      commitment.lossCommitment,
      fromHex(commitment.extension, 32),
    ),
  );
  return keccak256(concatBytes(Uint8Array.of(0x19, 0x01), domain, struct));
}

/** The storage slot of a commit: binds every field and the commit index; the head is the run's and needs no binding here. */
export function commitSlot(commitment: UpdateCommitment, commitIndex: number): Hex {
  return toHex(
    keccak256(
      abiEncode(
        commitment.run,
        commitment.round,
        commitment.memberId,
        commitIndex,
        fromHex(commitment.artifactDigest, 32),
        fromHex(commitment.artifactCid, 32),
        commitment.samples,
        commitment.lossCommitment,
        fromHex(commitment.extension, 32),
      ),
    ),
  );
}
