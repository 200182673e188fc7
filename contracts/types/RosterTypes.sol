// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

enum Role {
    None,
    Member,
    Validator,
    Auditor
}

/// Keys of a validator to be: genesis and additions.
struct ValidatorKeys {
    address signer;
    /// X25519 public key.
    bytes32 encryptionKey;
}

/// A member's or auditor's record at some block.
struct RosterRecord {
    address signer;
    /// X25519 public key.
    bytes32 encryptionKey;
    /// Members: the largest `samples` of a commit. Auditors: 0.
    uint32 maxSamples;
    /// Block of the change that made this version.
    uint40 since;
    /// Counts the record's changes from 0.
    uint16 version;
    /// Admitted and neither left nor removed.
    bool active;
    /// Read now, not as of a block.
    bool suspended;
}

struct ValidatorSeat {
    uint16 id;
    address signer;
    bytes32 encryptionKey;
}

/// A change to the validator set: an addition when `validatorId` is 0, else the removal of that validator (the other fields are 0 then).
struct ValidatorChange {
    uint16 validatorId;
    address signer;
    bytes32 encryptionKey;
}
