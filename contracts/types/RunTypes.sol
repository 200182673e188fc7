// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// Parameters of a run, fixed by `openRun`. `keccak256(abi.encode(RunParams))` is the run's `paramsDigest`, part of every head.
struct RunParams {
    /// keccak256 of the recipe's canonical JSON: model, layout, training, codec, rule parameters, scoring data.
    bytes32 recipeDigest;
    /// sha2-256 digest of the recipe's CID.
    bytes32 recipeCid;
    /// keccak256 of the aggregation rule's name.
    bytes32 ruleId;
    /// Chunk root of the initial checkpoint file.
    bytes32 initialModelRoot;
    /// sha2-256 digest of the initial checkpoint's CID.
    bytes32 initialCheckpointCid;
    /// Rounds to finalise before the closing round.
    uint32 rounds;
    /// Rounds that may be opened in all, failed and closing ones included.
    uint32 maxOpenings;
    /// K: expected number of invited members; at least the number of active members means all.
    uint32 cohort;
    /// Commits that a round takes.
    uint16 capacity;
    /// Accepted updates without which a round fails.
    uint16 minAccepted;
    uint32 commitBlocks;
    uint32 judgeBlocks;
    /// Blocks after the end of committing within which the bytes must have been served; shorter than `judgeBlocks`.
    uint32 fetchBlocks;
    uint32 attestBlocks;
    /// Blocks after which one more validator may finalise.
    uint32 viewBlocks;
    /// Blocks after finalisation in which scores can be disputed, and again as many for the validators to vote. With attested scores both
    /// windows follow one of the same length in which validators reveal.
    uint32 challengeBlocks;
    /// α of the reputation, Q16.
    uint32 alphaQ16;
    /// ω of the settlement: the share of the pool that is split by contribution, Q16.
    uint32 omegaQ16;
    /// IProofVerifier of the loss circuit.
    address verifier;
    /// ERC-20 of pool and bonds.
    address token;
    uint128 pool;
    uint128 disputeBond;
    /// 0: exact (scores are recomputable and part of the result). 1: attested (each validator's own, on private data).
    uint8 scoring;
}

/// Where a run stands.
struct RunView {
    uint40 openedBlock;
    address sponsor;
    bytes32 paramsDigest;
    /// h of the last finalised round, or h^0.
    bytes32 head;
    /// The round that made the head; 0 at genesis.
    uint32 headRound;
    /// Checkpoint of the head.
    bytes32 modelRoot;
    bytes32 checkpointCid;
    /// Rounds opened; also the id of the last one.
    uint32 lastRound;
    /// Rounds finalised, the closing round not counted.
    uint32 finalisedRounds;
    uint8 failedClosings;
    /// No further round can be opened.
    bool ended;
}
