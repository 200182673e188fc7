// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {RosterRecord} from "../types/RosterTypes.sol";

/// @title A record with its history
/// @notice A change writes a new version and keeps the old one; readers ask for the version that held before a block. The latest version is one
/// slot, which is all that is read while nobody changes.
library Roster {
    uint8 internal constant ACTIVE = 1;
    uint8 internal constant SUSPENDED = 2;

    /// One slot.
    struct Record {
        address signer;
        uint32 maxSamples;
        uint40 since;
        uint16 version;
        uint8 flags;
    }

    struct Entry {
        Record latest;
        mapping(uint256 version => Record) history;
        mapping(uint256 version => bytes32) encryptionKeys;
    }

    function exists(Entry storage entry) internal view returns (bool) {
        return entry.latest.signer != address(0);
    }

    function isActive(Record memory record) internal pure returns (bool) {
        return record.flags & ACTIVE != 0;
    }

    function isSuspended(Record memory record) internal pure returns (bool) {
        return record.flags & SUSPENDED != 0;
    }

    function create(Entry storage entry, address signer, bytes32 encryptionKey, uint32 maxSamples) internal {
        entry.latest = Record(signer, maxSamples, uint40(block.number), 0, ACTIVE);
        entry.encryptionKeys[0] = encryptionKey;
    }

    /// @notice Writes a new version, in force from the next block on (`since` < block).
    function change(Entry storage entry, address signer, bytes32 encryptionKey, uint32 maxSamples, uint8 flags)
        internal
        returns (uint16 version)
    {
        Record memory old = entry.latest;
        version = old.version + 1;
        entry.history[old.version] = old;
        entry.latest = Record(signer, maxSamples, uint40(block.number), version, flags);
        entry.encryptionKeys[version] = encryptionKey;
    }

    /// @notice Sets the suspension flag without a new version: it is read now, not as of a block.
    function setSuspended(Entry storage entry, bool suspended) internal {
        uint8 flags = entry.latest.flags;
        entry.latest.flags = suspended ? flags | SUSPENDED : flags & ~SUSPENDED;
    }

    /// @notice The last version with `since < beforeBlock`; a zero record if there is none.
    /// @dev Binary search over the history: a party that changed its record ten thousand times costs a reader fourteen reads, no more.
    function before(Entry storage entry, uint40 beforeBlock) internal view returns (Record memory record) {
        record = entry.latest;
        if (record.since < beforeBlock) return record;
        uint256 low = 0;
        uint256 high = record.version;
        // Versions below `low` are old enough, those from `high` on are not.
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (entry.history[middle].since < beforeBlock) low = middle + 1;
            else high = middle;
        }
        if (low == 0) return Record(address(0), 0, 0, 0, 0);
        return entry.history[low - 1];
    }

    function latestKey(Entry storage entry) internal view returns (bytes32) {
        return entry.encryptionKeys[entry.latest.version];
    }

    /// @param suspended as of when is the caller's choice.
    function describe(Entry storage entry, Record memory record, bool suspended) internal view returns (RosterRecord memory) {
        return RosterRecord({
            signer: record.signer,
            encryptionKey: record.signer == address(0) ? bytes32(0) : entry.encryptionKeys[record.version],
            maxSamples: record.maxSamples,
            since: record.since,
            version: record.version,
            active: isActive(record),
            suspended: suspended
        });
    }
}
