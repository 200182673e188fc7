// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

// Domain tags: `tag(x) = keccak256("foedus.v1." ‖ x)`. The TypeScript twin is `tag` in `src/protocol/hash.ts`; both are tested against the
// vectors of `test/vectors/`.

bytes32 constant TAG_VALIDATOR_SET = keccak256("foedus.v1.validatorSet");
bytes32 constant TAG_BEACON = keccak256("foedus.v1.beacon");
bytes32 constant TAG_COHORT = keccak256("foedus.v1.cohort");
bytes32 constant TAG_ATTESTATION = keccak256("foedus.v1.attestation");
bytes32 constant TAG_HEAD = keccak256("foedus.v1.head");
bytes32 constant TAG_GENESIS = keccak256("foedus.v1.genesis");
bytes32 constant TAG_BINDING = keccak256("foedus.v1.binding");
bytes32 constant TAG_SCORES = keccak256("foedus.v1.scores");

// EIP-712 type of what a member signs when it commits an update.
bytes32 constant UPDATE_COMMITMENT_TYPEHASH = keccak256(
    "UpdateCommitment(uint64 run,uint32 round,bytes32 head,uint32 memberId,bytes32 artifactDigest,bytes32 artifactCid,uint32 samples,uint256 lossCommitment,bytes32 extension)"
);
