// SPDX-License-Identifier: Apache-2.0
import { abiEncode, abiEncodeWithArrays, addressBytes } from "./abi.ts";
import { fromHex, type Hex, toHex } from "./bytes.ts";
import { keccak256, tag } from "./hash.ts";
import type { RunParams, ValidatorRecord } from "./ledger.ts";

/** keccak(abi(RunParams)): binds every parameter of a run into each of its heads. Field order is that of contracts/types/RunTypes.sol. */
export function paramsDigest(params: RunParams): Hex {
  return toHex(
    keccak256(
      abiEncode(
        fromHex(params.recipeDigest, 32),
        fromHex(params.recipeCid, 32),
        fromHex(params.ruleId, 32),
        fromHex(params.initialModelRoot, 32),
        fromHex(params.initialCheckpointCid, 32),
        params.rounds,
        params.maxOpenings,
        params.cohort,
        params.capacity,
        params.minAccepted,
        params.commitBlocks,
        params.judgeBlocks,
        params.fetchBlocks,
        params.attestBlocks,
        params.viewBlocks,
        params.challengeBlocks,
        params.alphaQ16,
        params.omegaQ16,
        addressBytes(params.verifier),
        addressBytes(params.token),
        params.pool,
        params.disputeBond,
        params.scoring,
      ),
    ),
  );
}

/** Digest of a version of the validator set, in index order. */
export function validatorSetDigest(
  chainId: bigint,
  consortium: string,
  version: number,
  validators: readonly ValidatorRecord[],
): Hex {
  return toHex(
    keccak256(
      abiEncodeWithArrays(
        [tag("validatorSet"), chainId, addressBytes(consortium), version],
        [
          validators.map(({ id }) => id),
          validators.map(({ signer }) => addressBytes(signer)),
          validators.map(({ encryptionKey }) => fromHex(encryptionKey, 32)),
        ],
      ),
    ),
  );
}
