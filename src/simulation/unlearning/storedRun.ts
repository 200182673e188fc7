// SPDX-License-Identifier: Apache-2.0
import type { ModelLayout } from "../../protocol/layout.ts";
import type { WideKernels } from "../../protocol/wideKernels.ts";
import type { Federation } from "../laboratory/federation.ts";
import { simulateRound, type Upload } from "../laboratory/simulateRound.ts";
import type { Head } from "./replayableRun.ts";
import type { KeptUpload, RunFolder, StoredRoundBody } from "./runFolder.ts";
import { digestOf, headOf, isWhole, restore, type Snapshot, snapshotOf } from "./snapshot.ts";

/** What a run is played with. */
export interface Play {
  /** The federation at its start. */
  readonly assemble: () => Promise<Federation>;
  readonly layout: ModelLayout;
  readonly rounds: number;
  readonly folder: RunFolder;
  /** Every how many rounds a snapshot is written (spec I1: s = 5). */
  readonly every: number;
  /** Whether accepted uploads are kept: not where nobody sees single ones. */
  readonly keepUploads: boolean;
  readonly kernels: WideKernels;
  /** Starts after this snapshot instead of at the initial model. */
  readonly from?: Snapshot | undefined;
  readonly onRound?: ((trainings: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A run whose records are on disk, all rounds of it. */
export interface StoredRun {
  readonly folder: RunFolder;
  /** The head before its first recorded round, then after each of them. */
  readonly heads: readonly Head[];
  /** Its recorded rounds, ascending and without a gap, up to the last. */
  readonly rounds: readonly StoredRoundBody[];
}

/**
 * Plays a run into its folder, going on where an earlier process was cut off, and reads what is there.
 *
 * @throws FoedusError SNAPSHOT_DAMAGED naming the first record with a byte that is not what was written.
 */
export async function playStored(play: Play): Promise<StoredRun> {
  const { folder, rounds, from, layout } = play;
  const first = from?.round ?? 0;
  if (!(await isDone(folder, first, rounds))) await playOn(play, first);
  for (const round of await folder.snapshots()) await folder.snapshot(round);
  const { shared } = await folder.snapshot(first);
  const heads: Head[] = [headOf({ master: shared.master, layout }, first)];
  const recorded: StoredRoundBody[] = [];
  for (let round = first + 1; round <= rounds; round++) {
    const { body, master } = await folder.round(round);
    recorded.push(body);
    heads.push(headOf({ master, layout }, round, body.failed ?? undefined));
  }
  return { folder, heads, rounds: recorded };
}

/** The last snapshot is written after the last round. */
async function isDone(folder: RunFolder, first: number, rounds: number): Promise<boolean> {
  const [snapshots, recorded] = [new Set(await folder.snapshots()), new Set(await folder.rounds())];
  for (let round = first + 1; round <= rounds; round++) if (!recorded.has(round)) return false;
  return snapshots.has(first) && snapshots.has(rounds);
}

async function playOn(
  { assemble, rounds, folder, every, keepUploads, kernels, from, onRound, signal }: Play,
  first: number,
): Promise<void> {
  const federation = await assemble();
  const whole = isWhole(federation);
  if (from !== undefined) restore(federation, from);
  const begun = await lastSnapshot(folder, first, whole);
  if (begun === undefined) await folder.writeSnapshot(snapshotOf(federation, first));
  else if (begun > first) restore(federation, await folder.snapshot(begun));
  for (let round = (begun ?? first) + 1; round <= rounds; round++) {
    signal?.throwIfAborted();
    let accepted: readonly Upload[] = [];
    const { invited, refused, failed } = await simulateRound(federation, round, kernels, (uploads) => {
      accepted = uploads;
    });
    await folder.writeRound(
      {
        round,
        head: digestOf(federation.master),
        trained: invited.map(({ id }) => id),
        accepted: accepted.map(({ member }) => member.id),
        refused,
        failed: failed ?? null,
        spent: federation.privacy?.spent() ?? null,
      },
      federation.master,
      keepUploads ? accepted.map(keptOf) : [],
    );
    if ((whole && round % every === 0) || round === rounds) await folder.writeSnapshot(snapshotOf(federation, round));
    onRound?.(invited.length);
  }
}

/** The last snapshot up to which all rounds are there. What remembers more than a snapshot holds starts from its beginning. */
async function lastSnapshot(folder: RunFolder, first: number, whole: boolean): Promise<number | undefined> {
  const recorded = new Set(await folder.rounds());
  const usable = (await folder.snapshots()).filter((round) => round === first || (whole && round > first));
  return usable.findLast((round) => {
    for (let before = first + 1; before <= round; before++) if (!recorded.has(before)) return false;
    return true;
  });
}

function keptOf({ member, prepared, samples, loss, accuracy }: Upload): KeptUpload {
  return { member: member.id, decoded: prepared.decoded, samples, loss, accuracy, clipFactor: prepared.clipFactor };
}
