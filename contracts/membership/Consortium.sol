// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {Bits} from "../libraries/Bits.sol";
import {Quorum} from "../libraries/Quorum.sol";
import {Roster} from "../libraries/Roster.sol";
import {MAX_AUDITORS, MAX_MEMBERS, MAX_VALIDATORS} from "../types/Limits.sol";
import {RosterRecord, Role, ValidatorChange, ValidatorKeys, ValidatorSeat} from "../types/RosterTypes.sol";
import {TAG_VALIDATOR_SET} from "../types/Tags.sol";

/// @title Who belongs to the consortium
/// @dev The admin is the owner; ownership moves in two steps, so that it cannot be lost to a mistyped address.
contract Consortium is IConsortium, Ownable2Step {
    using Roster for Roster.Entry;
    using Roster for Roster.Record;

    struct Identity {
        Role role;
        uint32 id;
    }

    struct Validator {
        address signer;
        uint16 keyVersion;
        bool inSet;
        bool suspended;
    }

    /// One slot: what finalisation reads of each validator.
    struct Seat {
        address signer;
        uint16 id;
        uint16 keyVersion;
    }

    struct SeatIndex {
        uint8 indexPlusOne;
        uint16 id;
    }

    struct ValidatorSet {
        bytes32 digest;
        Seat[] seats;
        /// What verdicts and seals read: one slot per lookup.
        mapping(address signer => SeatIndex) indexOf;
    }

    mapping(address account => Identity) private _identities;

    uint32 public memberCount;
    uint32 public auditorCount;
    uint16 private _validatorCount;
    uint16 public validatorSetVersion;
    /// Counts additions and removals; approvals of changes belong to one composition.
    uint32 private _composition;

    mapping(uint32 memberId => Roster.Entry) private _members;
    mapping(uint32 memberId => string) public memberName;
    mapping(uint32 auditorId => Roster.Entry) private _auditors;
    mapping(uint16 validatorId => Validator) private _validators;
    mapping(uint16 validatorId => mapping(uint16 keyVersion => bytes32)) private _validatorKeys;
    mapping(uint16 setVersion => ValidatorSet) private _sets;
    mapping(bytes32 proposal => uint32) private _approvals;

    /// @param admin owner: admits and suspends, opens runs.
    /// @param genesis the first validator set, in order of id and index.
    constructor(address admin, ValidatorKeys[] memory genesis) Ownable(admin) {
        if (genesis.length == 0) revert ConsortiumNoValidators();
        if (genesis.length > MAX_VALIDATORS) revert ConsortiumRosterFull(Role.Validator, MAX_VALIDATORS);
        Seat[] memory seats = new Seat[](genesis.length);
        for (uint256 i = 0; i < genesis.length; ++i) {
            seats[i] = _addValidator(genesis[i].signer, genesis[i].encryptionKey);
        }
        _writeSet(seats);
    }

    // ------------------------------------------------------------------ admin: members

    /// @inheritdoc IConsortium
    function admitMember(address signer, bytes32 encryptionKey, uint32 maxSamples, string calldata name)
        external
        onlyOwner
        returns (uint32 memberId)
    {
        memberId = memberCount + 1;
        if (memberId > MAX_MEMBERS) revert ConsortiumRosterFull(Role.Member, MAX_MEMBERS);
        if (maxSamples == 0) revert ConsortiumZeroMaxSamples(memberId);
        _bind(signer, encryptionKey, Role.Member, memberId);
        memberCount = memberId;
        memberName[memberId] = name;
        _members[memberId].create(signer, encryptionKey, maxSamples);
        emit MemberAdmitted(memberId, signer, encryptionKey, maxSamples, name);
    }

    /// @inheritdoc IConsortium
    function setMaxSamples(uint32 memberId, uint32 maxSamples) external onlyOwner {
        if (maxSamples == 0) revert ConsortiumZeroMaxSamples(memberId);
        Roster.Record memory record = _activeMember(memberId);
        _changeMember(memberId, record.signer, _members[memberId].latestKey(), maxSamples, record.flags);
    }

    /// @inheritdoc IConsortium
    function removeMember(uint32 memberId) external onlyOwner {
        _endMembership(memberId, _activeMember(memberId));
    }

    /// @inheritdoc IConsortium
    function setMemberSuspended(uint32 memberId, bool suspended) external onlyOwner {
        if (!_members[memberId].exists()) revert ConsortiumUnknownMember(memberId);
        _members[memberId].setSuspended(suspended);
        emit SuspensionChanged(Role.Member, memberId, suspended);
    }

    // ------------------------------------------------------------------ admin: auditors and validators

    /// @inheritdoc IConsortium
    function admitAuditor(address signer, bytes32 encryptionKey) external onlyOwner returns (uint32 auditorId) {
        auditorId = auditorCount + 1;
        if (auditorId > MAX_AUDITORS) revert ConsortiumRosterFull(Role.Auditor, MAX_AUDITORS);
        _bind(signer, encryptionKey, Role.Auditor, auditorId);
        auditorCount = auditorId;
        _auditors[auditorId].create(signer, encryptionKey, 0);
        emit AuditorAdmitted(auditorId, signer, encryptionKey);
    }

    /// @inheritdoc IConsortium
    function removeAuditor(uint32 auditorId) external onlyOwner {
        Roster.Record memory record = _activeAuditor(auditorId);
        _changeAuditor(auditorId, record.signer, _auditors[auditorId].latestKey(), record.flags & ~Roster.ACTIVE);
    }

    /// @inheritdoc IConsortium
    /// @dev A version of its own, unlike a member's flag: every member of a round must seal to the same recipients, whenever it does.
    function setAuditorSuspended(uint32 auditorId, bool suspended) external onlyOwner {
        Roster.Record memory record = _activeAuditor(auditorId);
        uint8 flags = suspended ? record.flags | Roster.SUSPENDED : record.flags & ~Roster.SUSPENDED;
        _changeAuditor(auditorId, record.signer, _auditors[auditorId].latestKey(), flags);
        emit SuspensionChanged(Role.Auditor, auditorId, suspended);
    }

    /// @inheritdoc IConsortium
    function setValidatorSuspended(uint16 validatorId, bool suspended) external onlyOwner {
        if (_validators[validatorId].signer == address(0)) revert ConsortiumUnknownValidator(validatorId);
        _validators[validatorId].suspended = suspended;
        emit SuspensionChanged(Role.Validator, validatorId, suspended);
    }

    // ------------------------------------------------------------------ the parties themselves

    /// @inheritdoc IConsortium
    function rotateMemberKeys(address signer, bytes32 encryptionKey) external {
        uint32 memberId = _callerIn(Role.Member);
        Roster.Record memory record = _members[memberId].latest;
        _rebind(msg.sender, signer, encryptionKey, Role.Member, memberId);
        _changeMember(memberId, signer, encryptionKey, record.maxSamples, record.flags);
    }

    /// @inheritdoc IConsortium
    function resign() external {
        uint32 memberId = _callerIn(Role.Member);
        _endMembership(memberId, _members[memberId].latest);
    }

    /// @inheritdoc IConsortium
    function rotateAuditorKeys(address signer, bytes32 encryptionKey) external {
        uint32 auditorId = _callerIn(Role.Auditor);
        _rebind(msg.sender, signer, encryptionKey, Role.Auditor, auditorId);
        _changeAuditor(auditorId, signer, encryptionKey, _auditors[auditorId].latest.flags);
    }

    /// @inheritdoc IConsortium
    function rotateValidatorKeys(address signer, bytes32 encryptionKey) external {
        uint16 validatorId = uint16(_callerIn(Role.Validator));
        _rebind(msg.sender, signer, encryptionKey, Role.Validator, validatorId);
        Validator storage validator = _validators[validatorId];
        uint16 keyVersion = validator.keyVersion + 1;
        validator.signer = signer;
        validator.keyVersion = keyVersion;
        _validatorKeys[validatorId][keyVersion] = encryptionKey;

        Seat[] memory seats = _sets[validatorSetVersion].seats;
        for (uint256 i = 0; i < seats.length; ++i) {
            if (seats[i].id == validatorId) seats[i] = Seat(signer, validatorId, keyVersion);
        }
        emit ValidatorKeysRotated(validatorId, signer, encryptionKey);
        _writeSet(seats);
    }

    /// @inheritdoc IConsortium
    function approveValidatorChange(ValidatorChange calldata change) external returns (bool executed) {
        uint16 approver = uint16(_callerIn(Role.Validator));
        ValidatorSet storage set = _sets[validatorSetVersion];
        _checkChange(change);

        uint32 mine = uint32(1) << (set.indexOf[msg.sender].indexPlusOne - 1);
        bytes32 proposal = _proposalOf(change);
        uint32 approvals = _approvals[proposal];
        if (approvals & mine != 0) revert ConsortiumAlreadyApproved(proposal, approver);
        approvals |= mine;
        _approvals[proposal] = approvals;

        uint256 count = _standingApprovals(approvals, set.seats);
        uint256 quorum = Quorum.quorum(set.seats.length);
        emit ValidatorChangeApproved(proposal, approver, change, count, quorum);
        if (count < quorum) return false;

        ++_composition;
        if (change.validatorId == 0) _appendSeat(set.seats, change);
        else _removeSeat(set.seats, change.validatorId);
        return true;
    }

    // ------------------------------------------------------------------ views: identities

    /// @inheritdoc IConsortium
    function isAdmin(address account) external view returns (bool) {
        return account == owner();
    }

    /// @inheritdoc IConsortium
    function participantOf(address account) external view returns (Role role, uint32 id) {
        bool active;
        (role, id, active) = _current(account);
        if (!active) return (Role.None, 0);
    }

    /// @inheritdoc IConsortium
    function holderOf(address account) external view returns (Role role, uint32 id) {
        (role, id,) = _current(account);
    }

    /// @inheritdoc IConsortium
    function identityOf(address account) external view returns (Role role, uint32 id) {
        Identity memory identity = _identities[account];
        return (identity.role, identity.id);
    }

    // ------------------------------------------------------------------ views: members and auditors

    /// @inheritdoc IConsortium
    function memberOf(uint32 memberId) external view returns (RosterRecord memory) {
        Roster.Entry storage entry = _members[memberId];
        if (!entry.exists()) revert ConsortiumUnknownMember(memberId);
        return entry.describe(entry.latest, entry.latest.isSuspended());
    }

    /// @inheritdoc IConsortium
    function memberBefore(uint32 memberId, uint40 beforeBlock) external view returns (RosterRecord memory) {
        Roster.Entry storage entry = _members[memberId];
        return entry.describe(entry.before(beforeBlock), entry.latest.isSuspended());
    }

    /// @inheritdoc IConsortium
    function committerBefore(uint32 memberId, uint40 beforeBlock)
        external
        view
        returns (address signer, uint256 maxSamples, bool suspended)
    {
        Roster.Entry storage entry = _members[memberId];
        Roster.Record memory record = entry.latest;
        suspended = record.isSuspended();
        if (record.since >= beforeBlock) record = entry.before(beforeBlock);
        if (record.isActive()) (signer, maxSamples) = (record.signer, record.maxSamples);
    }

    /// @inheritdoc IConsortium
    function activeMembersBefore(uint40 beforeBlock)
        external
        view
        returns (uint256 count, uint256[4] memory bitmap, uint256 suspended)
    {
        uint256 members = memberCount;
        for (uint256 bit = 0; bit < members; ++bit) {
            Roster.Entry storage entry = _members[uint32(bit + 1)];
            Roster.Record memory record = entry.latest;
            bool isSuspended = record.isSuspended();
            if (record.since >= beforeBlock) record = entry.before(beforeBlock);
            if (!record.isActive()) continue;
            if (isSuspended) {
                ++suspended;
                continue;
            }
            bitmap[bit / 256] |= 1 << (bit % 256);
            ++count;
        }
    }

    /// @inheritdoc IConsortium
    function auditorOf(uint32 auditorId) external view returns (RosterRecord memory) {
        Roster.Entry storage entry = _auditors[auditorId];
        if (!entry.exists()) revert ConsortiumUnknownAuditor(auditorId);
        return entry.describe(entry.latest, entry.latest.isSuspended());
    }

    /// @inheritdoc IConsortium
    function auditorsBefore(uint40 beforeBlock)
        external
        view
        returns (uint32[] memory ids, bytes32[] memory encryptionKeys)
    {
        uint256 count = auditorCount;
        ids = new uint32[](count);
        encryptionKeys = new bytes32[](count);
        uint256 found = 0;
        for (uint32 id = 1; id <= count; ++id) {
            Roster.Entry storage entry = _auditors[id];
            Roster.Record memory record = entry.before(beforeBlock);
            if (!record.isActive() || record.isSuspended()) continue;
            ids[found] = id;
            encryptionKeys[found++] = entry.encryptionKeys[record.version];
        }
        assembly ("memory-safe") {
            mstore(ids, found)
            mstore(encryptionKeys, found)
        }
    }

    // ------------------------------------------------------------------ views: validators

    /// @inheritdoc IConsortium
    function validatorCount(uint16 setVersion) external view returns (uint256) {
        return _set(setVersion).seats.length;
    }

    /// @inheritdoc IConsortium
    function validatorSet(uint16 setVersion) external view returns (ValidatorSeat[] memory set) {
        Seat[] memory seats = _set(setVersion).seats;
        set = new ValidatorSeat[](seats.length);
        for (uint256 i = 0; i < seats.length; ++i) {
            set[i] = ValidatorSeat(seats[i].id, seats[i].signer, _validatorKeys[seats[i].id][seats[i].keyVersion]);
        }
    }

    /// @inheritdoc IConsortium
    function validatorSetDigest(uint16 setVersion) external view returns (bytes32) {
        return _set(setVersion).digest;
    }

    /// @inheritdoc IConsortium
    function validatorSeats(uint16 setVersion)
        external
        view
        returns (bytes32 digest, address[] memory signers, uint16[] memory ids)
    {
        ValidatorSet storage set = _set(setVersion);
        Seat[] storage seats = set.seats;
        uint256 count = seats.length;
        digest = set.digest;
        signers = new address[](count);
        ids = new uint16[](count);
        for (uint256 i = 0; i < count; ++i) {
            Seat memory seat = seats[i];
            (signers[i], ids[i]) = (seat.signer, seat.id);
        }
    }

    /// @inheritdoc IConsortium
    function validatorIds(uint16 setVersion) external view returns (uint16[] memory ids) {
        Seat[] storage seats = _set(setVersion).seats;
        ids = new uint16[](seats.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            ids[i] = seats[i].id;
        }
    }

    /// @inheritdoc IConsortium
    function seatOf(uint16 setVersion, address signer) external view returns (uint8 index, uint16 validatorId) {
        SeatIndex memory seat = _sets[setVersion].indexOf[signer];
        if (seat.indexPlusOne == 0) revert ConsortiumUnauthorized(signer, Role.Validator);
        if (_validators[seat.id].suspended) revert ConsortiumSuspended(Role.Validator, seat.id);
        return (seat.indexPlusOne - 1, seat.id);
    }

    /// @inheritdoc IConsortium
    function validatorSuspended(uint16 validatorId) external view returns (bool) {
        return _validators[validatorId].suspended;
    }

    /// @inheritdoc IConsortium
    function approvalsOf(ValidatorChange calldata change) external view returns (uint32) {
        return _approvals[_proposalOf(change)];
    }

    // ------------------------------------------------------------------ identities

    /// The identity whose current signer `account` is, if that is not suspended; `active` if it also belongs to the roster now.
    function _current(address account) private view returns (Role, uint32, bool active) {
        Identity memory identity = _identities[account];
        if (identity.role == Role.Validator) {
            Validator memory validator = _validators[uint16(identity.id)];
            if (validator.signer != account || validator.suspended) return (Role.None, 0, false);
            return (identity.role, identity.id, validator.inSet);
        }
        if (identity.role == Role.None) return (Role.None, 0, false);
        Roster.Record memory record =
            identity.role == Role.Member ? _members[identity.id].latest : _auditors[identity.id].latest;
        if (record.signer != account || record.isSuspended()) return (Role.None, 0, false);
        return (identity.role, identity.id, record.isActive());
    }

    /// Id of the caller, who must act in this role now.
    function _callerIn(Role role) private view returns (uint32) {
        (Role actual, uint32 id, bool active) = _current(msg.sender);
        if (actual != role || !active) revert ConsortiumUnauthorized(msg.sender, role);
        return id;
    }

    /// Gives a new address to an identity, for ever.
    function _bind(address signer, bytes32 encryptionKey, Role role, uint32 id) private {
        if (signer == address(0)) revert ConsortiumZeroSigner();
        if (encryptionKey == 0) revert ConsortiumZeroEncryptionKey(signer);
        Identity memory taken = _identities[signer];
        if (taken.role != Role.None) revert ConsortiumSignerTaken(signer, taken.role, taken.id);
        _identities[signer] = Identity(role, id);
    }

    /// As `_bind`, for a rotation that may keep the signer.
    function _rebind(address current, address signer, bytes32 encryptionKey, Role role, uint32 id) private {
        if (signer != current) _bind(signer, encryptionKey, role, id);
        else if (encryptionKey == 0) revert ConsortiumZeroEncryptionKey(signer);
    }

    // ------------------------------------------------------------------ members and auditors

    function _activeMember(uint32 memberId) private view returns (Roster.Record memory record) {
        record = _members[memberId].latest;
        if (record.signer == address(0)) revert ConsortiumUnknownMember(memberId);
        if (!record.isActive()) revert ConsortiumInactiveMember(memberId);
    }

    function _activeAuditor(uint32 auditorId) private view returns (Roster.Record memory record) {
        record = _auditors[auditorId].latest;
        if (record.signer == address(0)) revert ConsortiumUnknownAuditor(auditorId);
        if (!record.isActive()) revert ConsortiumInactiveAuditor(auditorId);
    }

    function _endMembership(uint32 memberId, Roster.Record memory record) private {
        bytes32 encryptionKey = _members[memberId].latestKey();
        _changeMember(memberId, record.signer, encryptionKey, record.maxSamples, record.flags & ~Roster.ACTIVE);
    }

    function _changeMember(uint32 memberId, address signer, bytes32 encryptionKey, uint32 maxSamples, uint8 flags) private {
        uint16 version = _members[memberId].change(signer, encryptionKey, maxSamples, flags);
        emit MemberChanged(memberId, signer, encryptionKey, maxSamples, flags & Roster.ACTIVE != 0, version);
    }

    function _changeAuditor(uint32 auditorId, address signer, bytes32 encryptionKey, uint8 flags) private {
        uint16 version = _auditors[auditorId].change(signer, encryptionKey, 0, flags);
        emit AuditorChanged(auditorId, signer, encryptionKey, flags & Roster.ACTIVE != 0, version);
    }

    // ------------------------------------------------------------------ validator set

    function _set(uint16 setVersion) private view returns (ValidatorSet storage) {
        if (setVersion == 0 || setVersion > validatorSetVersion) {
            revert ConsortiumUnknownSetVersion(setVersion, validatorSetVersion);
        }
        return _sets[setVersion];
    }

    function _proposalOf(ValidatorChange calldata change) private view returns (bytes32) {
        return keccak256(abi.encode(_composition, change));
    }

    /// Refuses what could not be executed, so that no quorum gathers behind it.
    function _checkChange(ValidatorChange calldata change) private view {
        if (change.validatorId == 0) {
            if (change.signer == address(0)) revert ConsortiumZeroSigner();
            if (change.encryptionKey == 0) revert ConsortiumZeroEncryptionKey(change.signer);
            Identity memory taken = _identities[change.signer];
            if (taken.role != Role.None) revert ConsortiumSignerTaken(change.signer, taken.role, taken.id);
            if (_sets[validatorSetVersion].seats.length == MAX_VALIDATORS) {
                revert ConsortiumRosterFull(Role.Validator, MAX_VALIDATORS);
            }
            return;
        }
        if (change.signer != address(0) || change.encryptionKey != 0) {
            revert ConsortiumMalformedChange(change.validatorId, change.signer, change.encryptionKey);
        }
        if (!_validators[change.validatorId].inSet) {
            revert ConsortiumValidatorNotInSet(change.validatorId, validatorSetVersion);
        }
        if (_sets[validatorSetVersion].seats.length == 1) revert ConsortiumNoValidators();
    }

    /// Approvals of validators that are not suspended now.
    function _standingApprovals(uint32 approvals, Seat[] storage seats) private view returns (uint256 count) {
        for (uint256 i = 0; i < seats.length; ++i) {
            if (Bits.has(approvals, i) && !_validators[seats[i].id].suspended) ++count;
        }
    }

    function _addValidator(address signer, bytes32 encryptionKey) private returns (Seat memory) {
        uint16 validatorId = ++_validatorCount;
        _bind(signer, encryptionKey, Role.Validator, validatorId);
        _validators[validatorId] = Validator(signer, 0, true, false);
        _validatorKeys[validatorId][0] = encryptionKey;
        emit ValidatorAdded(validatorId, signer, encryptionKey);
        return Seat(signer, validatorId, 0);
    }

    function _appendSeat(Seat[] memory old, ValidatorChange calldata change) private {
        Seat[] memory seats = new Seat[](old.length + 1);
        for (uint256 i = 0; i < old.length; ++i) {
            seats[i] = old[i];
        }
        seats[old.length] = _addValidator(change.signer, change.encryptionKey);
        _writeSet(seats);
    }

    function _removeSeat(Seat[] memory old, uint16 validatorId) private {
        _validators[validatorId].inSet = false;
        Seat[] memory seats = new Seat[](old.length - 1);
        uint256 kept = 0;
        for (uint256 i = 0; i < old.length; ++i) {
            if (old[i].id != validatorId) seats[kept++] = old[i];
        }
        emit ValidatorRemoved(validatorId);
        _writeSet(seats);
    }

    /// Writes a new version of the set.
    function _writeSet(Seat[] memory seats) private {
        uint16 version = ++validatorSetVersion;
        ValidatorSet storage set = _sets[version];
        uint16[] memory ids = new uint16[](seats.length);
        address[] memory signers = new address[](seats.length);
        bytes32[] memory encryptionKeys = new bytes32[](seats.length);
        for (uint256 i = 0; i < seats.length; ++i) {
            Seat memory seat = seats[i];
            set.seats.push(seat);
            set.indexOf[seat.signer] = SeatIndex(uint8(i + 1), seat.id);
            (ids[i], signers[i], encryptionKeys[i]) =
                (seat.id, seat.signer, _validatorKeys[seat.id][seat.keyVersion]);
        }
        bytes32 digest = keccak256(
            abi.encode(TAG_VALIDATOR_SET, block.chainid, address(this), version, ids, signers, encryptionKeys)
        );
        set.digest = digest;
        emit ValidatorSetChanged(version, digest, ids, signers, encryptionKeys);
    }
}
