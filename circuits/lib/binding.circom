// SPDX-License-Identifier: GPL-3.0
pragma circom 2.1.6;

include "node_modules/circomlib/circuits/poseidon.circom";

// keccak256("foedus.v1.binding.digest") mod p. The same number as BINDING_DIGEST_TAG in src/protocol/binding.ts.
function BINDING_DIGEST_TAG() {
    return 14606971961119351786133575168902725355114726698554812028587423512849294909146;
}

/**
 * Collision-resistant digest of a vector of fixed length: s_0 = Poseidon(tag, capacity), s_{i+1} = Poseidon(s_i, next 15 elements,
 * padded with zeros), digest = the last s.
 *
 * @input vector of 2 * capacity + 1 field elements
 * @output digest
 *
 * s_0 is a constant of the instance, so vectors of different capacities have different digests although both are padded with zeros,
 * and the length needs no encoding. A digest rather than a hash tree, since nobody opens single elements.
 */
template BindingDigest(capacity) {
    var length = 2 * capacity + 1;
    var blocks = (length + 14) \ 15;

    signal input vector[length];
    signal output digest;

    signal state[blocks + 1];
    state[0] <== Poseidon(2)([BINDING_DIGEST_TAG(), capacity]);

    component absorb[blocks];
    for (var block = 0; block < blocks; block++) {
        absorb[block] = Poseidon(16);
        absorb[block].inputs[0] <== state[block];
        for (var i = 0; i < 15; i++) {
            var position = 15 * block + i;
            if (position < length) {
                absorb[block].inputs[1 + i] <== vector[position];
            } else {
                absorb[block].inputs[1 + i] <== 0;
            }
        }
        state[block + 1] <== absorb[block].out;
    }
    digest <== state[blocks];
}

/**
 * Value at `point` of the polynomial whose coefficients are `vector`, lowest degree first, by Horner's rule.
 *
 * NOTE: two different vectors agree on at most length - 1 points. So the value binds the vector only if `point` is drawn after both
 * vectors are fixed: the caller must derive it from a digest of this vector and from the vector it compares with.
 */
template BindingEvaluation(length) {
    signal input vector[length];
    signal input point;
    signal output evaluation;

    signal partial[length];
    partial[length - 1] <== vector[length - 1];
    for (var i = length - 2; i >= 0; i--) {
        partial[i] <== partial[i + 1] * point + vector[i];
    }
    evaluation <== partial[0];
}
