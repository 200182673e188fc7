// SPDX-License-Identifier: GPL-3.0
pragma circom 2.1.6;

include "node_modules/circomlib/circuits/bitify.circom";
include "node_modules/circomlib/circuits/comparators.circom";
include "circuits/lib/binding.circom";
include "circuits/lib/ceilingQuotient.circom";
include "circuits/lib/lossCommitment.circom";

// Bits that `count` needs as a number of summands: the sum of `count` values below 2^b is below 2^(b + sumBits(count)).
function sumBits(count) {
    var bits = 0;
    while ((1 << bits) < count) {
        bits++;
    }
    return bits;
}

/**
 * Reported loss: the part of a Proof-of-Training that no validator needs to be believed for.
 *
 * STATEMENT. "I know run, round and for each of `capacity` slots (memberId, samples, loss, salt) such that, with
 *
 *     v' = [ run * 2^32 + round,
 *            for each slot: its loss commitment, memberId * 2^32 + samples        (0, 0 if both are 0) ]
 *
 *   1. the digest of v' is D                                                      (digest)
 *   2. sum of v'_j * r^j = E                                                      (challenge, evaluation)
 *   3. each slot's commitment is Poseidon(tag, run, round, memberId, samples, loss, salt)
 *   4. run < 2^64; round, memberId, samples, loss < 2^32; the sum of samples is at least 1
 *   5. L = ceil(sum of samples * loss / sum of samples), as integers              (reportedLoss)".
 *
 * PUBLIC SIGNALS, in this order: D (digest), r (challenge), E (evaluation), L (reportedLoss).
 * UNIT of losses: 2^-16 nats. Losses, salts and everything else stay hidden.
 *
 * LEFT TO THE CALLER (docs/protocol.md, "Proof of reported loss"; ProofOfTraining.sol, tested in test/contracts):
 *   - v itself: which commitments, members and sample counts were accepted, each once, that they were signed, samples >= 1,
 *     and that there are at most `capacity` of them. Order of the slots is the caller's as well.
 *   - r = keccak(..., L, keccak(v), D) mod p, computed by the caller after D is named. If the prover could choose r, or r did not
 *     depend on D, it could find another v' with the same E.
 *   - E, computed from v and r by the caller.
 *   - Public signals below p. (The generated verifier refuses others.)
 * It says nothing on whether a loss was computed honestly: it is the loss that was *reported*.
 *
 * WHY the vector is not public: 2 * capacity + 1 public signals would cost the verifier about 6 700 gas each. D fixes v' before r is
 * known; v' != v would agree with v on at most 2 * capacity points r of p.
 *
 * EMPTY SLOTS. Whether a slot is empty is not the prover's word but computed: memberId = samples = 0. Its weight is then 0 in both
 * sums whatever loss it carries, and its two elements of v' are 0, as the caller's padding.
 */
template ReportedLoss(capacity) {
    assert(capacity >= 1);

    signal input digest;
    signal input challenge;
    signal input evaluation;
    signal input reportedLoss;

    signal input run;
    signal input round;
    signal input memberId[capacity];
    signal input samples[capacity];
    signal input loss[capacity];
    signal input salt[capacity];

    signal vector[2 * capacity + 1];

    // Without the ranges (run, round) = (run + 1, round - 2^32) would share the context element of another round, and a commitment
    // made for one round would count in the other.
    _ <== Num2Bits(64)(run);
    _ <== Num2Bits(32)(round);
    vector[0] <== run * 2**32 + round;

    component commitment[capacity];
    signal empty[capacity];
    signal weightedLoss[capacity];
    var lossSum = 0;
    var sampleSum = 0;
    for (var i = 0; i < capacity; i++) {
        // Without these two, samples could be moved by multiples of 2^32 against memberId under the same element of v'.
        _ <== Num2Bits(32)(memberId[i]);
        _ <== Num2Bits(32)(samples[i]);
        // A negative loss (p - x) would lower L at will; the commitment alone does not forbid one.
        _ <== Num2Bits(32)(loss[i]);

        commitment[i] = LossCommitment();
        commitment[i].run <== run;
        commitment[i].round <== round;
        commitment[i].memberId <== memberId[i];
        commitment[i].samples <== samples[i];
        commitment[i].loss <== loss[i];
        commitment[i].salt <== salt[i];

        // The element is below 2^64, so it is 0 in the field only if memberId = samples = 0.
        vector[2 + 2 * i] <== memberId[i] * 2**32 + samples[i];
        empty[i] <== IsZero()(vector[2 + 2 * i]);
        // In a slot that is not empty the commitment itself stands in v'; there is no third choice.
        vector[1 + 2 * i] <== (1 - empty[i]) * commitment[i].commitment;

        weightedLoss[i] <== samples[i] * loss[i];
        lossSum += weightedLoss[i];
        sampleSum += samples[i];
    }

    // 1. Fixes v' before the challenge is known.
    signal computedDigest <== BindingDigest(capacity)(vector);
    computedDigest === digest;
    // 2. Makes v' the caller's v.
    signal computedEvaluation <== BindingEvaluation(2 * capacity + 1)(vector, challenge);
    computedEvaluation === evaluation;
    // 5. The sums are below 2^(64 + sumBits) and 2^(32 + sumBits), far from p.
    AssertCeilingQuotient(32, 32 + sumBits(capacity))(lossSum, sampleSum, reportedLoss);
}
