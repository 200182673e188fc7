// SPDX-License-Identifier: Apache-2.0
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

/** Whether this system tells who is whose child (Linux). */
export const KNOWS_PROCESS_TREE = process.platform === "linux";

/** A process, told from a later one with the same id by when it started. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startedTicks: string;
}

/** All processes below one, children of children too, once there are at least so many. */
export async function descendantsOf(pid: number, atLeast: number): Promise<ProcessIdentity[]> {
  for (let attempt = 0; ; attempt++) {
    const found = await descendantsNow(pid);
    if (found.length >= atLeast) return found;
    if (attempt === 200) throw new Error(`Process ${pid} has ${found.length} processes below it, not ${atLeast}.`);
    await pause(50);
  }
}

async function descendantsNow(pid: number): Promise<ProcessIdentity[]> {
  const all = (await Promise.all((await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(statOf))).filter(
    (stat) => stat !== undefined,
  );
  const found: ProcessIdentity[] = [];
  for (let parents = [pid]; parents.length > 0; ) {
    const children = all.filter(({ parent }) => parents.includes(parent));
    found.push(...children.map(({ pid: child, startedTicks }) => ({ pid: child, startedTicks })));
    parents = children.map(({ pid: child }) => child);
  }
  return found;
}

/** Those of the processes that still run when `limitMs` have passed; returns as soon as there is none. */
export async function survivorsOf(processes: readonly ProcessIdentity[], limitMs: number): Promise<ProcessIdentity[]> {
  for (const deadline = performance.now() + limitMs; ; await pause(50)) {
    const stats = await Promise.all(processes.map(({ pid }) => statOf(String(pid))));
    // A zombie has ended; only its parent's look is missing.
    const alive = processes.filter(
      ({ startedTicks }, i) => stats[i]?.startedTicks === startedTicks && stats[i].state !== "Z",
    );
    if (alive.length === 0 || performance.now() > deadline) return alive;
  }
}

async function statOf(
  pid: string,
): Promise<{ pid: number; parent: number; state: string; startedTicks: string } | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (stat === undefined) return undefined;
  // The second field is the program's name in parentheses and may hold anything. Fields as proc(5) counts them: 3 state, 4 parent, 22 start.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { pid: Number(pid), parent: Number(fields[1]), state: fields[0] ?? "", startedTicks: fields[19] ?? "" };
}
