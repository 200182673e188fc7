// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../../../protocol/random.ts";

/**
 * How long members take, keyed: each belongs to one of the speed classes (dealt as evenly as possible in keyed order), and each of its tasks takes
 * the class's seconds, give or take up to `jitter` of it, uniformly.
 *
 * @param classes seconds of a task, e.g. [1, 2, 4].
 * @param jitter 0 ≤ jitter < 1.
 */
export function speedClasses(
  members: readonly number[],
  classes: readonly number[],
  jitter: number,
  random: Random,
): (member: number, n: number) => number {
  const order = random.derive("speed classes").shuffled(members);
  const seconds = new Map(order.map((member, place) => [member, classes[place % classes.length] as number]));
  return (member, n) => {
    const spread = jitter * (2 * random.derive("task time", member, n).uniform() - 1);
    return (seconds.get(member) ?? Number.NaN) * (1 + spread);
  };
}
