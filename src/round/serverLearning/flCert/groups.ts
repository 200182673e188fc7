// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../../protocol/errors.ts";
import { sha256 } from "../../../protocol/hash.ts";
import type { Random } from "../../../protocol/random.ts";
import type { EnsembleConfig } from "../serverConfig.ts";

/** Members of each group, ascending. */
export type Groups = readonly (readonly number[])[];

/** The groups that a config names. @throws ConfigError for groups that cannot be made of these members. */
export function groupsOf(config: EnsembleConfig, members: readonly number[], random: Random): Groups {
  if (config.name === "flcert-p") return sampledGroups(members, config.groups, config.groupSize, random);
  return config.assignment === "hash"
    ? hashedGroups(members, config.groups)
    : balancedGroups(members, config.groups, random);
}

/**
 * FLCert-D: every member in one group, group(i) = SHA-256("foedus.v1.flcert" ‖ i as uint64) mod N_g (first eight bytes, big-endian). Nobody but
 * the member's own number decides, so a member that joins or leaves moves no other.
 *
 * @throws ConfigError when a group would be empty, whose model would never be trained but vote all the same.
 */
export function hashedGroups(members: readonly number[], groups: number): Groups {
  const dealt = Array.from({ length: groups }, (): number[] => []);
  for (const member of [...members].sort((a, b) => a - b)) dealt[groupOf(member, groups)]?.push(member);
  return refuseEmpty(dealt, members.length);
}

/** FLCert-D's group of one member. */
export function groupOf(member: number, groups: number): number {
  const id = Buffer.alloc(8);
  id.writeBigUInt64BE(BigInt(member));
  return Number(Buffer.from(sha256(Buffer.from("foedus.v1.flcert"), id)).readBigUInt64BE() % BigInt(groups));
}

/**
 * FLCert-D with groups of equal size: members dealt round by round in keyed order. The certificate is the same, since each member is in one group
 * whatever it does; but with another set of members the groups are others.
 */
export function balancedGroups(members: readonly number[], groups: number, random: Random): Groups {
  const dealt = Array.from({ length: groups }, (): number[] => []);
  const order = random.derive("flcert balanced").shuffled([...members].sort((a, b) => a - b));
  for (const [place, member] of order.entries()) dealt[place % groups]?.push(member);
  return refuseEmpty(
    dealt.map((group) => group.sort((a, b) => a - b)),
    members.length,
  );
}

/**
 * FLCert-P: each of `groups` groups is `size` members chosen uniformly without replacement, independently of the others.
 *
 * @throws ConfigError when a group is to have more members than there are.
 */
export function sampledGroups(members: readonly number[], groups: number, size: number, random: Random): Groups {
  if (!(size >= 1 && size <= members.length))
    throw new ConfigError(
      `FLCert-P's groups of ${size} cannot be chosen from ${members.length} members; name a smaller groupSize.`,
      {
        size,
        members: members.length,
      },
    );
  const sorted = [...members].sort((a, b) => a - b);
  return Array.from({ length: groups }, (_, group) =>
    random
      .derive("flcert sampled", group)
      .shuffled(sorted)
      .slice(0, size)
      .sort((a, b) => a - b),
  );
}

function refuseEmpty(groups: readonly (readonly number[])[], members: number): Groups {
  const empty = groups.findIndex((group) => group.length === 0);
  if (empty !== -1)
    throw new ConfigError(
      `FLCert-D's group ${empty} of ${groups.length} has none of the ${members} members. Choose fewer groups, or "assignment: balanced".`,
      { group: empty, groups: groups.length, members },
    );
  return groups;
}
