// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// Where a round stands for a transaction in a given block. Derived from facts, never stored (docs/protocol.md, "Round states").
enum Phase {
    None,
    Committing,
    Judging,
    Attesting,
    Finalising,
    Finalised,
    Failed
}

/// Why a round failed. `NoVerdicts` goes before `TooFewAccepted` when both hold: without a quorum of verdicts the accepted set says nothing.
enum Failure {
    None,
    NoVerdicts,
    TooFewAccepted,
    NoQuorum,
    NotFinalised
}

/// A member's commitment to an update. What it signs also binds the run's head, which the ledger adds (EIP-712 type in types/Tags.sol).
struct UpdateCommitment {
    uint64 run;
    uint32 round;
    uint32 memberId;
    /// Chunk root of the artifact.
    bytes32 artifactDigest;
    /// sha2-256 digest of the artifact's CID.
    bytes32 artifactCid;
    uint32 samples;
    /// Poseidon commitment to the loss of the received model, 0 < c < p.
    uint256 lossCommitment;
    /// 0 in this version.
    bytes32 extension;
}

/// T: everything a round decides. A deterministic function of chain and store; validators seal it, the head commits to it.
struct RoundResult {
    uint64 run;
    uint32 round;
    /// Parent: the run's head before this round.
    bytes32 head;
    /// Bitmaps by commit index; kept ⊆ accepted.
    uint256 accepted;
    uint256 kept;
    bytes32 participantsRoot;
    bytes32 modelRoot;
    bytes32 checkpointCid;
    /// ‖w^t − w^{t−1}‖² in units 2^-2(F_max+16).
    uint256 updateNormSq;
    /// L in units 2^-16 nats, about the received model.
    uint32 reportedLoss;
    bytes32 scoresDigest;
    /// R_t.
    bytes32 beacon;
    bytes32 extension;
}

/// One committed update as `finalise` lists it. The ledger's commit slot binds every field.
struct CommittedUpdate {
    uint32 memberId;
    uint8 commitIndex;
    bytes32 artifactDigest;
    bytes32 artifactCid;
    uint32 samples;
    uint256 lossCommitment;
}

/// A Groth16 proof over BN254; `b` in the word order of the pairing precompile (imaginary part first).
struct LossProof {
    uint256[2] a;
    uint256[2][2] b;
    uint256[2] c;
}

/// What the proposer of a round sends. Apart from the proof, q seals fix every value of it.
struct Finalisation {
    /// Bitmap by commit index.
    uint256 kept;
    /// All committed updates, ascending memberId.
    CommittedUpdate[] committed;
    /// λ, row by row for the accepted updates in ascending memberId: accepted × G, units 2^-16. Rows of updates that are not kept are 0.
    uint32[] weights;
    /// Of the accepted updates in ascending memberId, units 2^-20 nats; 0 where not kept.
    int32[] scores;
    bytes32 modelRoot;
    bytes32 checkpointCid;
    uint256 updateNormSq;
    uint32 reportedLoss;
    bytes32 extension;
    /// D: the circuit's hash of its own vector.
    uint256 bindingDigest;
    LossProof proof;
}

/// What the ledger keeps of a finalised round (of the genesis as round 0).
struct RoundRecord {
    /// h^t; the round's Finalised event has what it commits to.
    bytes32 head;
    /// The finalised round before it.
    uint32 parentRound;
    uint40 finalisedBlock;
    uint32 reportedLoss;
    /// Bitmap by commit index.
    uint128 kept;
}

/// Everything about a round that is not an event. Blocks are inclusive ends.
struct RoundView {
    Phase phase;
    Failure failure;
    bool closing;
    uint40 openedBlock;
    /// Members count with records whose `since` is below this block.
    uint40 rosterBefore;
    /// Actual ends: the deadline, or the block in which the last entitled party acted.
    uint40 commitEnd;
    uint40 judgeEnd;
    uint40 attestEnd;
    uint40 commitDeadline;
    /// Last block in which bytes count as served: commitEnd + fetchBlocks.
    uint40 fetchDeadline;
    uint40 judgeDeadline;
    uint40 attestDeadline;
    uint40 finaliseDeadline;
    /// 0 while not finalised.
    uint40 finalisedBlock;
    /// Parent head, fixed at opening, and the round that made it.
    bytes32 head;
    uint32 parentRound;
    /// R_{t−1}, which selected the cohort.
    bytes32 beaconBefore;
    /// n and q of the round, and the version of the validator set.
    uint8 validators;
    uint8 quorum;
    uint16 validatorSetVersion;
    /// N at opening, and how many of them are invited.
    uint16 activeMembers;
    uint16 invited;
    /// Commits that close the phase early: min(invited, capacity).
    uint8 places;
    uint8 minAccepted;
    uint8 commits;
    uint8 verdicts;
    uint8 attestations;
    /// By commit index: at least f+1 yes so far.
    uint32 accepted;
    /// By validator index.
    uint32 verdictBitmap;
    uint32 attestedBitmap;
}

/// What `finalise` needs of the ledger, read in one call (see ITrainingLedger.finalisationContext).
struct FinalisationContext {
    bool closing;
    uint8 commitCount;
    uint32 accepted;
    uint40 attestEnd;
    uint32 viewBlocks;
    address verifier;
    bytes32 parentHead;
    bytes32 parentModelRoot;
    bytes32 parentCheckpointCid;
    bytes32 beacon;
    bytes32 ruleId;
    bytes32 paramsDigest;
    bytes32 validatorSetDigest;
    /// Commit slots of the members asked for.
    bytes32[] commits;
    /// All three by validator index; a seal is 0 where the validator has not attested.
    address[] signers;
    uint16[] validatorIds;
    bytes32[] seals;
}
