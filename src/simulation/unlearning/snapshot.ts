// SPDX-License-Identifier: Apache-2.0
import { toHex } from "../../protocol/bytes.ts";
import { splitMaster } from "../../protocol/grid.ts";
import { keccak256 } from "../../protocol/hash.ts";
import type { Moment } from "../../protocol/serverState.ts";
import type { DownlinkHistory } from "../../update/downlink.ts";
import type { Federation, Member } from "../laboratory/federation.ts";
import type { StoredRecord, Tensor } from "./recordFile.ts";
import type { Head } from "./replayableRun.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Names of what a run may change. */
type Changing<T> = {
  [K in keyof T]-?: Same<{ [P in K]: T[P] }, { -readonly [P in K]: T[P] }> extends true ? K : never;
}[keyof T];

/**
 * A federation's memory after a round: what the next one depends on beside keyed randomness. All that changes, so that what is new in a federation
 * does not compile until snapshots have it; but for data and what attackers learn from them, which only a shift changes, and such runs are not replayed.
 */
export interface Snapshot {
  readonly round: number;
  readonly shared: Pick<Federation, Exclude<Changing<Federation>, "test" | "attackLearner">>;
  readonly members: ReadonlyMap<number, Memory>;
}

/** What is remembered of a member, by it or by the validators. */
export type Memory = Pick<Member, Exclude<Changing<Member>, "shard" | "test">>;

/** Whether a snapshot is all that the next round depends on. Attackers, private accounts and server strategies remember more. */
export function isWhole({ attackers, privacy, records, server }: Federation): boolean {
  return attackers === undefined && privacy === undefined && records === undefined && server === undefined;
}

export function headOf(
  { master, layout }: Pick<Federation, "master" | "layout">,
  round: number,
  failed?: string,
): Head {
  return { round, digest: digestOf(master), state: splitMaster(master, layout).view, failed };
}

/** keccak256 of a master model, which names it bit for bit. */
export function digestOf(master: Float64Array): string {
  return toHex(keccak256(new Uint8Array(master.buffer, master.byteOffset, master.byteLength)));
}

/** Rounds replace what is in here and never change it in place, so the references are enough. */
export function snapshotOf(
  { master, previousMaster, serverState, downlink, members }: Federation,
  round: number,
): Snapshot {
  const memories = members.map(
    ({ id, local, residual, reputation, contribution, ruleState, lastKept, replica }): [number, Memory] => [
      id,
      { local, residual, reputation, contribution, ruleState, lastKept, replica },
    ],
  );
  return {
    round,
    shared: { master, previousMaster, serverState, downlink },
    members: new Map(memories),
  };
}

export function restore(federation: Federation, { shared, members }: Snapshot): void {
  Object.assign(federation, shared);
  for (const member of federation.members) Object.assign(member, members.get(member.id));
}

/** The snapshot without what it holds of these members. */
export function snapshotWithout(snapshot: Snapshot, gone: readonly number[]): Snapshot {
  return { ...snapshot, members: new Map([...snapshot.members].filter(([id]) => !gone.includes(id))) };
}

export interface SnapshotBody {
  readonly round: number;
  /** Of compressed downlinks: the version before the first kept one, and the rounds of those kept. */
  readonly downlink: { readonly from: number; readonly rounds: readonly number[] } | null;
  readonly members: readonly {
    readonly id: number;
    readonly reputation: number;
    readonly contribution: number | null;
    readonly ruleState: number | null;
    readonly lastKept: number;
    readonly replica: number | null;
    /** Names of what it remembers between its rounds. */
    readonly local: readonly string[];
  }[];
}

/** As a file holds it. */
export function packSnapshot({ round, shared, members }: Snapshot): StoredRecord<SnapshotBody> {
  const tensors: Record<string, Tensor> = { master: shared.master };
  if (shared.previousMaster !== undefined) tensors["previousMaster"] = shared.previousMaster;
  const { downlink } = shared;
  if (downlink !== undefined) tensors["downlinkResidual"] = downlink.residual;
  for (const { round: sent, payload } of downlink?.history.kept ?? []) tensors[`downlink ${sent}`] = payload;
  for (const [moment, values] of Object.entries(shared.serverState)) tensors[`moment ${moment}`] = values;
  for (const [id, { local, residual }] of members) {
    tensors[`residual ${id}`] = residual;
    for (const [name, values] of Object.entries(local)) tensors[`local ${id} ${name}`] = values;
  }
  return {
    body: {
      round,
      downlink:
        downlink === undefined
          ? null
          : { from: downlink.history.from, rounds: downlink.history.kept.map(({ round: sent }) => sent) },
      members: [...members].map(([id, { reputation, contribution, ruleState, lastKept, replica, local }]) => ({
        id,
        reputation,
        contribution: contribution ?? null,
        ruleState: ruleState ?? null,
        lastKept,
        replica: replica ?? null,
        local: Object.keys(local),
      })),
    },
    tensors,
  };
}

export function unpackSnapshot({ body, tensors }: StoredRecord<SnapshotBody>): Snapshot {
  const doubles = (name: string): Float64Array | undefined => tensors[name] as Float64Array | undefined;
  const moments: Partial<Record<Moment, Float64Array>> = {};
  for (const moment of ["momentum", "variance"] as const) {
    const values = doubles(`moment ${moment}`);
    if (values !== undefined) moments[moment] = values;
  }
  const { downlink } = body;
  const history: DownlinkHistory = {
    from: downlink?.from ?? 0,
    kept: (downlink?.rounds ?? []).map((round) => ({ round, payload: tensors[`downlink ${round}`] as Uint8Array })),
  };
  return {
    round: body.round,
    shared: {
      master: doubles("master") as Float64Array,
      previousMaster: doubles("previousMaster"),
      serverState: moments,
      downlink: downlink === null ? undefined : { residual: doubles("downlinkResidual") as Float64Array, history },
    },
    members: new Map(
      body.members.map(({ id, reputation, contribution, ruleState, lastKept, replica, local }) => [
        id,
        {
          reputation,
          contribution: contribution ?? undefined,
          ruleState: ruleState ?? undefined,
          lastKept,
          replica: replica ?? undefined,
          residual: doubles(`residual ${id}`) as Float64Array,
          local: Object.fromEntries(local.map((name) => [name, tensors[`local ${id} ${name}`] as Float32Array])),
        },
      ]),
    ),
  };
}
