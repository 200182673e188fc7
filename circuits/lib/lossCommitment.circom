// SPDX-License-Identifier: GPL-3.0
pragma circom 2.1.6;

include "node_modules/circomlib/circuits/poseidon.circom";

// keccak256("foedus.v1.lossCommitment") mod p. The same number as LOSS_COMMITMENT_TAG in src/protocol/lossCommitment.ts.
function LOSS_COMMITMENT_TAG() {
    return 3382115014933987257723259248882482286278399657088318474338842921515339074645;
}

/**
 * The commitment of one member to the loss it reports, as signed in its UpdateCommitment.
 *
 * @input run, round, memberId, samples, loss, salt
 * @output commitment = Poseidon(tag, run, round, memberId, samples, loss, salt)
 *
 * NOTE: ranges are left to the caller. A commitment to loss = p - 1 is a perfectly good commitment; only the caller's range check makes
 * it useless.
 * NOTE: the tag is an input, not the capacity lane of the sponge. Whoever chooses the capacity lane can compute the permutation
 * backwards and open a commitment to anything.
 */
template LossCommitment() {
    signal input run;
    signal input round;
    signal input memberId;
    signal input samples;
    signal input loss;
    signal input salt;
    signal output commitment;

    commitment <== Poseidon(7)([LOSS_COMMITMENT_TAG(), run, round, memberId, samples, loss, salt]);
}
