// SPDX-License-Identifier: Apache-2.0
import { headVersion, missedDownlinks, type SentDownlink } from "../../update/downlink.ts";
import type { Federation, Member } from "./federation.ts";

/** What a member is sent to have the head: the whole model, or the movements that its replica lacks (none where it is the head). */
export type Delivery =
  | { readonly kind: "model"; readonly state: Float32Array; readonly bytes: number }
  | { readonly kind: "movements"; readonly movements: readonly SentDownlink[]; readonly bytes: number };

const FLOAT_BYTES = 4;

/** Bytes of the model sent whole: its float view. Coded movements are whole units of that view, so it restores a replica to the last bit. */
export function modelBytes({ layout }: Pick<Federation, "layout">): number {
  return FLOAT_BYTES * layout.size;
}

/**
 * Brings the invited members' replicas to the head (spec C4): each is sent the movements that it missed, or the model whole where the server no longer
 * keeps one of them, where it never had a model, and where the movements together are longer. Members that are not invited are sent nothing, and stay
 * at the version that they have.
 *
 * @param view of the head.
 * @returns what each was sent, by id; undefined where downlinks are not compressed.
 */
export function deliverModel(
  federation: Federation,
  invited: readonly Member[],
  view: Float32Array,
): ReadonlyMap<number, Delivery> | undefined {
  const { downlink } = federation;
  if (downlink === undefined) return undefined;
  const whole = modelBytes(federation);
  const delivered = new Map<number, Delivery>();
  for (const member of invited) {
    const movements = missedDownlinks(downlink.history, member.replica, whole);
    delivered.set(
      member.id,
      movements === undefined
        ? { kind: "model", state: view, bytes: whole }
        : { kind: "movements", movements, bytes: movements.reduce((sum, { payload }) => sum + payload.length, 0) },
    );
    member.replica = headVersion(downlink.history);
  }
  return delivered;
}
