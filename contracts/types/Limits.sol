// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

// Order p of the BN254 scalar field, in which loss commitments and the proof live.
uint256 constant FIELD_ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

// Validators in a set. Bounds every loop over validators and the width of their bitmaps.
uint256 constant MAX_VALIDATORS = 32;

// Members ever admitted. Bounds the loops of `openRound` and `settle`.
uint256 constant MAX_MEMBERS = 1024;

// Auditors ever admitted. Bounds the wraps of an artifact's seal.
uint256 constant MAX_AUDITORS = 64;

// Commits of a round: the lanes of the vertical verdict counters.
uint256 constant MAX_CAPACITY = 32;

// 1 in Q16: weights of a column, reputation, α and ω.
uint256 constant ONE_Q16 = 65536;

// How a run's updates are scored: by everybody alike on public held-out data, as part of the result; or by each validator on its own data.
uint8 constant EXACT_SCORING = 0;
uint8 constant ATTESTED_SCORING = 1;

// Refusal codes of a verdict run from 1 to this one (docs/protocol.md, "Verification of an artifact").
uint256 constant MAX_REFUSAL_CODE = 15;

// Closing rounds that may fail before the run ends without one.
uint256 constant MAX_FAILED_CLOSINGS = 2;

// Chains on which a verifier with development keys (known toxic waste) is accepted: Hardhat's and geth's development networks.
uint256 constant HARDHAT_CHAIN_ID = 31337;
uint256 constant GETH_DEVELOPMENT_CHAIN_ID = 1337;
