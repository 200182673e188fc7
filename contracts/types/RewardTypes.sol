// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// A member's account within a run: one storage slot.
struct Standing {
    /// Q16; 65 536 before the first committed update that was finalised.
    uint24 reputation;
    /// Σ of scores, units 2^-20 nats: fewer than 2^24 rounds of an int32 each.
    int56 contribution;
    /// Rounds kept with positive score.
    uint32 participation;
    /// Set at settlement, units of the token.
    uint128 reward;
    /// Set with the first finalised round the member committed to (a zero slot would read as reputation 0).
    bool known;
    /// Reward taken.
    bool claimed;
}

/// Where the largest remainders of a split end: a member gets one unit more if its remainder is above `remainder`, or equal to it with an id of
/// at most `memberId`. When the floors already add up: `remainder` = the sum of shares, `memberId` = 0.
struct CutOff {
    uint256 remainder;
    uint32 memberId;
}

/// Money of a run.
struct RewardAccount {
    address sponsor;
    address token;
    /// Escrowed at openRun.
    uint128 pool;
    uint128 disputeBond;
    /// Bonds of disputes that have not been upheld: part of the pool at settlement.
    uint128 bondsAtStake;
    /// Set at settlement when nobody has earned anything.
    uint128 refund;
    // From here on one slot, which each finalisation reads and writes.
    uint32 challengeBlocks;
    uint32 alphaQ16;
    uint32 omegaQ16;
    /// Last block of the last window: settlement is possible after it.
    uint40 windowEnd;
    /// Rounds with q votes whose scores have not been taken back yet: settlement waits for them.
    uint32 pendingVoids;
    bool settled;
    /// RunParams.scoring.
    uint8 scoring;
    /// Finalised rounds whose attested scores have been neither booked nor voided: settlement waits for them.
    uint32 pendingScores;
}

/// Dispute about one round's scores.
struct Dispute {
    /// Last block in which a dispute can be raised; 0 if the round has no scores. With attested scores it is one window after the last reveal.
    uint40 raiseEnd;
    /// Parties that have raised one.
    uint32 parties;
    /// Validator indices (of the round's set) that voted to void.
    uint32 votes;
    /// q votes reached.
    bool upheld;
    /// C and P of the round taken back.
    bool voided;
}

/// One validator's scores as it revealed them: of the kept updates, ascending memberId, units 2^-20 nats.
struct ScoreReveal {
    int32[] scores;
    bytes32 salt;
}

/// Where a round's attested scores stand; zeros where the round has none.
struct AttestedRound {
    /// Last block in which committed scores can be revealed.
    uint40 revealEnd;
    /// Booking is possible after this block: the end of disputing or, if there is a dispute, of voting.
    uint40 bookAfter;
    /// Validator indices (of the round's set) that have revealed.
    uint32 revealed;
    bool booked;
    /// A dispute was upheld: the round's scores are 0, and nothing is booked.
    bool voided;
}
