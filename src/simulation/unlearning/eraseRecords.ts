// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Deletion } from "../../report/unlearning/unlearningReport.ts";
import { RunFolder } from "./runFolder.ts";
import { type Memory, snapshotWithout } from "./snapshot.ts";
import type { StoredRun } from "./storedRun.ts";

/** Says that a folder holds a whole run that is to stand in another's place, or does, where it is in that place and not all is deleted yet. */
const COMPLETE = "complete";

/**
 * Deletes what is kept of a member (spec I5): the run's records give way to those of the run without it. Rounds and snapshots before its first
 * round are taken over without what they hold of it. Cut off at any point, {@link finishErasing} brings it to an end.
 *
 * @param replayed the run without the member, from a snapshot before its first round on.
 */
export async function eraseRecords(run: StoredRun, replayed: StoredRun, member: number): Promise<void> {
  const first = replayed.rounds[0]?.round ?? run.rounds.length + 1;
  for (const round of (await run.folder.snapshots()).filter((one) => one < first - 1))
    await replayed.folder.writeSnapshot(snapshotWithout(await run.folder.snapshot(round), [member]));
  for (let round = 1; round < first; round++) {
    const { body, master, uploads } = await run.folder.round(round);
    const { uploads: _, ...facts } = body;
    const others = {
      ...facts,
      trained: facts.trained.filter((id) => id !== member),
      refused: facts.refused.filter(({ id }) => id !== member),
    };
    await replayed.folder.writeRound(others, master, uploads);
  }
  await writeFile(join(replayed.folder.path, COMPLETE), "");
  await standIn(replayed.folder.path, run.folder.path);
}

/** Brings to an end what a cut-off process began: a whole run without a member takes the place of the one with it. */
export async function finishErasing(path: string): Promise<void> {
  const parent = dirname(path);
  if (!existsSync(parent)) return;
  for (const replayed of await runsBeside(path))
    if (existsSync(join(replayed, COMPLETE))) await standIn(replayed, path);
  if (existsSync(join(path, COMPLETE))) await deleteBeside(path);
}

/** Until the last step a folder with the mark is there, so that whatever cuts it off in between, the next command goes on. */
async function standIn(replayed: string, path: string): Promise<void> {
  await RunFolder.remove(path);
  await rename(replayed, path);
  await deleteBeside(path);
}

/** Runs without other members have this one's records too. */
async function deleteBeside(path: string): Promise<void> {
  for (const run of await runsBeside(path)) await RunFolder.remove(run);
  await rm(join(path, COMPLETE), { force: true });
}

/** Runs without a member that commands left beside the run. */
async function runsBeside(path: string): Promise<string[]> {
  const [parent, run] = [dirname(path), basename(path)];
  return (await readdir(parent))
    .filter((name) => ["retrained", "replayed"].some((kind) => name.startsWith(`${run}-${kind}-`)))
    .map((name) => join(parent, name));
}

/** What is kept of a member, in words and numbers. */
export async function keptOf(run: StoredRun, member: number): Promise<Deletion["items"]> {
  let [uploads, bytes] = [0, 0];
  for (const { round, uploads: kept } of run.rounds) {
    if (!kept.some(({ member: id }) => id === member)) continue;
    const found = (await run.folder.round(round)).uploads.find(({ member: id }) => id === member);
    uploads += 1;
    bytes += found?.decoded.byteLength ?? 0;
  }
  const memory = (await run.folder.snapshot(run.rounds.length)).members.get(member);
  const first = run.rounds.find(({ accepted }) => accepted.includes(member))?.round;
  const models = first === undefined ? 0 : run.rounds.length - first + 1;
  const snapshots = (await run.folder.snapshots()).length;
  return [
    { what: "its uploads", amount: uploads === 0 ? "none were kept" : `${uploads} rounds', ${bytes} bytes` },
    ...(memory === undefined ? [] : memoryItems(memory, snapshots)),
    { what: "models that its updates entered", amount: `${models} rounds'` },
    { what: "its part in the records of who trained and was refused", amount: `${run.rounds.length} rounds` },
  ];
}

function memoryItems(
  { residual, local, reputation, contribution, ruleState }: Memory,
  snapshots: number,
): Deletion["items"] {
  const inSnapshots = `in ${snapshots} snapshot${snapshots === 1 ? "" : "s"}`;
  const locals = Object.entries(local);
  return [
    {
      what: "its error-feedback residual",
      amount: residual.some((value) => value !== 0) ? `${residual.length} coordinates, ${inSnapshots}` : "all zero",
    },
    ...(locals.length === 0
      ? [{ what: "what it remembered between rounds (control variates and the like)", amount: "nothing" }]
      : locals.map(([name, values]) => ({
          what: `what it remembered between rounds: ${name}`,
          amount: `${values.length} numbers, ${inSnapshots}`,
        }))),
    { what: "its reputation", amount: `${(reputation / 65_536).toFixed(4)}, ${inSnapshots}` },
    {
      what: "its Shapley history",
      amount:
        contribution === undefined ? "none is kept in this federation" : `${contribution} · 2⁻²⁰ nats, ${inSnapshots}`,
    },
    ...(ruleState === undefined ? [] : [{ what: "what the rule remembered of it", amount: inSnapshots }]),
  ];
}
