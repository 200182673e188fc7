// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../protocol/random.ts";
import { DataError } from "./errors.ts";
import { cutEvenly, type Deal } from "./hands.ts";

export interface NaturalPolicy {
  /** Natural clients with fewer samples are left out. */
  readonly minSamples: number;
  /** `one`: each member is one client. `group`: each member is several, all clients being dealt evenly. */
  readonly assign: "one" | "group";
}

/**
 * Members as natural clients: patients, users, hospitals. With `one`, when there are more clients than members, a uniform choice
 * of them takes part and the others' samples stay unused. Members are in ascending order of their (first) client.
 *
 * @param clients natural client of each sample.
 * @throws DataError CANNOT_DEAL when fewer clients than members have enough samples.
 */
export function dealNatural(
  clients: readonly number[],
  members: number,
  { minSamples, assign }: NaturalPolicy,
  random: Random,
): Deal {
  const byClient = Map.groupBy(clients.keys(), (index) => clients[index] as number);
  const eligible = [...byClient.keys()]
    .filter((client) => (byClient.get(client) as number[]).length >= minSamples)
    .sort((a, b) => a - b);
  if (!Number.isInteger(members) || members < 1 || members > eligible.length)
    throw new DataError(
      "CANNOT_DEAL",
      `${eligible.length} of ${byClient.size} natural clients have at least ${minSamples} samples; ${members} members need one each. Choose fewer members or a smaller minimum.`,
      { clients: byClient.size, eligible: eligible.length, members, minSamples },
    );
  // Whoever takes all as they are need not depend on the seed.
  const order = members === eligible.length ? eligible : random.shuffled(eligible);
  const groups = assign === "one" ? order.slice(0, members).map((client) => [client]) : cutEvenly(order, members);
  return groups
    .map((group) => group.sort((a, b) => a - b))
    .sort((a, b) => (a[0] as number) - (b[0] as number))
    .map((group) => group.flatMap((client) => byClient.get(client) as number[]).sort((a, b) => a - b));
}
