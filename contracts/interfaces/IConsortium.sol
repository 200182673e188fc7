// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {RosterRecord, Role, ValidatorChange, ValidatorSeat} from "../types/RosterTypes.sol";

/// @title Who belongs to the consortium: members, validators and auditors with permanent ids, keys and their history
/// @notice The allow-list of everything else. A change writes a new version of a record, so that a round reads the roster as it was at the
/// round's roster block and joining, leaving and rotation act from a later round. Suspension is read *now*: a suspended key can do nothing,
/// and no round's n or q changes by it. Validators come and go by q approvals of the current set; the admin alone can only suspend.
/// A signer address serves one identity, for ever.
interface IConsortium {
    // ------------------------------------------------------------------ errors

    /// @notice A signer must be a new, non-zero address; this one already serves an identity.
    error ConsortiumSignerTaken(address signer, Role role, uint32 id);
    error ConsortiumZeroSigner();
    error ConsortiumZeroEncryptionKey(address signer);
    error ConsortiumZeroMaxSamples(uint32 memberId);
    error ConsortiumUnknownMember(uint32 memberId);
    error ConsortiumInactiveMember(uint32 memberId);
    error ConsortiumUnknownAuditor(uint32 auditorId);
    error ConsortiumInactiveAuditor(uint32 auditorId);
    error ConsortiumUnknownValidator(uint16 validatorId);
    /// @notice `account` is not the current key of an active identity in that role, or it is suspended.
    error ConsortiumUnauthorized(address account, Role role);
    error ConsortiumSuspended(Role role, uint32 id);
    error ConsortiumRosterFull(Role role, uint256 limit);
    error ConsortiumNoValidators();
    error ConsortiumValidatorNotInSet(uint16 validatorId, uint16 setVersion);
    error ConsortiumUnknownSetVersion(uint16 setVersion, uint16 latest);
    error ConsortiumAlreadyApproved(bytes32 proposal, uint16 validatorId);
    /// @notice A change is an addition (id 0, keys) or a removal (an id, no keys), not a mixture.
    error ConsortiumMalformedChange(uint16 validatorId, address signer, bytes32 encryptionKey);

    // ------------------------------------------------------------------ events

    event MemberAdmitted(
        uint32 indexed memberId, address indexed signer, bytes32 encryptionKey, uint32 maxSamples, string name
    );
    /// @notice Rotation, new maxSamples, leaving or removal; `version` counts the record's changes.
    event MemberChanged(
        uint32 indexed memberId, address indexed signer, bytes32 encryptionKey, uint32 maxSamples, bool active, uint16 version
    );
    event AuditorAdmitted(uint32 indexed auditorId, address indexed signer, bytes32 encryptionKey);
    event AuditorChanged(
        uint32 indexed auditorId, address indexed signer, bytes32 encryptionKey, bool active, uint16 version
    );
    event SuspensionChanged(Role indexed role, uint32 indexed id, bool suspended);
    event ValidatorChangeApproved(
        bytes32 indexed proposal, uint16 indexed validatorId, ValidatorChange change, uint256 approvals, uint256 quorum
    );
    event ValidatorAdded(uint16 indexed validatorId, address indexed signer, bytes32 encryptionKey);
    event ValidatorRemoved(uint16 indexed validatorId);
    event ValidatorKeysRotated(uint16 indexed validatorId, address indexed signer, bytes32 encryptionKey);
    /// @notice A new version of the validator set, in order of index.
    event ValidatorSetChanged(uint16 indexed version, bytes32 digest, uint16[] ids, address[] signers, bytes32[] encryptionKeys);

    // ------------------------------------------------------------------ admin

    /// @notice Admits a member under a new permanent id. Admin only, at any time; the member acts two openings later (from round 1 of a run
    /// opened afterwards).
    /// @param signer new address that signs commitments and sends the member's transactions.
    /// @param encryptionKey X25519 public key, not 0.
    /// @param maxSamples largest `samples` that a commit may state, at least 1.
    /// @param name of the organisation, for people.
    function admitMember(address signer, bytes32 encryptionKey, uint32 maxSamples, string calldata name)
        external
        returns (uint32 memberId);

    /// @notice Changes what a member may state. Admin only; acts like a rotation, two openings later.
    function setMaxSamples(uint32 memberId, uint32 maxSamples) external;

    /// @notice Ends a membership. Admin only; acts like a rotation. To stop a member at once, suspend it as well.
    function removeMember(uint32 memberId) external;

    /// @notice Admits an auditor, to whose key artifacts are sealed from the next opening on. Admin only.
    function admitAuditor(address signer, bytes32 encryptionKey) external returns (uint32 auditorId);

    /// @notice Ends an auditor's record, from the next opening on. Admin only.
    function removeAuditor(uint32 auditorId) external;

    /// @notice Suspends or reinstates at once. Admin only.
    /// @dev Members and validators: a flag read now. Nothing is sealed to auditors suspended before a round's opening block.
    function setMemberSuspended(uint32 memberId, bool suspended) external;
    function setValidatorSuspended(uint16 validatorId, bool suspended) external;
    function setAuditorSuspended(uint32 auditorId, bool suspended) external;

    // ------------------------------------------------------------------ the parties themselves

    /// @notice Replaces the caller's member keys; the signer may stay the same. An active, unsuspended member's current signer only.
    /// @dev Rounds that are open keep the old keys; the new ones act two openings later.
    function rotateMemberKeys(address signer, bytes32 encryptionKey) external;

    /// @notice Ends the caller's membership. An active, unsuspended member's current signer only. Rewards can still be claimed.
    function resign() external;

    /// @notice Replaces the caller's auditor keys. An active, unsuspended auditor's current signer only; from the next opening on.
    function rotateAuditorKeys(address signer, bytes32 encryptionKey) external;

    /// @notice Replaces the caller's validator keys: a new version of the set, for rounds opened later. A validator of the latest set only.
    /// @dev There are 65 535 versions; a validator that burns them is suspended.
    function rotateValidatorKeys(address signer, bytes32 encryptionKey) external;

    /// @notice Approves a change of the validator set. A validator of the latest set only. With the q-th approval the change is made.
    /// @dev Approvals belong to the identities of a composition: any addition or removal lets all pending approvals lapse, a key rotation
    /// does not (else one validator could block every change by rotating). Approvals of validators suspended meanwhile do not count.
    /// @return executed whether this approval made the change.
    function approveValidatorChange(ValidatorChange calldata change) external returns (bool executed);

    // ------------------------------------------------------------------ views

    function isAdmin(address account) external view returns (bool);

    /// @notice Role and id behind an address that is the *current* signer of an active, unsuspended identity; (None, 0) for all others.
    function participantOf(address account) external view returns (Role role, uint32 id);

    /// @notice As `participantOf`, but also for an identity that has left or was removed: who may take what is still owed to it.
    function holderOf(address account) external view returns (Role role, uint32 id);

    /// @notice Role and id an address was ever bound to, whatever its state now; (None, 0) if never.
    function identityOf(address account) external view returns (Role role, uint32 id);

    /// @notice Ids 1…memberCount have been admitted, at most 1024.
    function memberCount() external view returns (uint32);
    function memberName(uint32 memberId) external view returns (string memory);

    /// @notice The member's latest record.
    function memberOf(uint32 memberId) external view returns (RosterRecord memory);

    /// @notice The member's record among those with `since < beforeBlock`; all zero (but `suspended`, which is read now) if there is none.
    function memberBefore(uint32 memberId, uint40 beforeBlock) external view returns (RosterRecord memory);

    /// @notice What a commit is checked against: signer and maxSamples of the record with `since < beforeBlock`, and suspension now. The signer is
    /// 0 if the member was not active then.
    function committerBefore(uint32 memberId, uint40 beforeBlock)
        external
        view
        returns (address signer, uint256 maxSamples, bool suspended);

    /// @notice Members active before a block and not suspended now: N, and bit (id − 1) mod 256 of word (id − 1) / 256; and how many active
    /// ones are left out because they are suspended.
    function activeMembersBefore(uint40 beforeBlock)
        external
        view
        returns (uint256 count, uint256[4] memory bitmap, uint256 suspended);

    function auditorCount() external view returns (uint32);
    function auditorOf(uint32 auditorId) external view returns (RosterRecord memory);

    /// @notice Auditors active and unsuspended in records with `since < beforeBlock`, ascending id: with a round's `openedBlock`, those that
    /// its artifacts are sealed to, after the validators.
    function auditorsBefore(uint40 beforeBlock) external view returns (uint32[] memory ids, bytes32[] memory encryptionKeys);

    /// @notice Version of the latest validator set; versions start at 1.
    function validatorSetVersion() external view returns (uint16);

    /// @notice n of a set version.
    function validatorCount(uint16 setVersion) external view returns (uint256);

    /// @notice The set in order of index.
    function validatorSet(uint16 setVersion) external view returns (ValidatorSeat[] memory);

    /// @notice keccak256(abi.encode(tag("validatorSet"), chainId, this, version, ids, signers, encryptionKeys)).
    function validatorSetDigest(uint16 setVersion) external view returns (bytes32);

    /// @notice Digest, signers and ids in one call, for finalisation.
    function validatorSeats(uint16 setVersion)
        external
        view
        returns (bytes32 digest, address[] memory signers, uint16[] memory ids);

    /// @notice Ids in order of index.
    function validatorIds(uint16 setVersion) external view returns (uint16[] memory);

    /// @notice Seat of a signer in a set version.
    /// @dev Reverts with ConsortiumUnauthorized if it has none, with ConsortiumSuspended if its validator is suspended now.
    function seatOf(uint16 setVersion, address signer) external view returns (uint8 index, uint16 validatorId);

    function validatorSuspended(uint16 validatorId) external view returns (bool);

    /// @notice Validators that approved a change under the current composition, as a bitmap by index.
    function approvalsOf(ValidatorChange calldata change) external view returns (uint32);
}
