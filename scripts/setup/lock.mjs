// SPDX-License-Identifier: Apache-2.0
/**
 * One set-up at a time per checkout. Two at once (two terminals, an editor's task beside a test run) would have npm delete the
 * packages under the other's feet.
 *
 * The lock is a file that its holder touches every two seconds. It is stale when its process is gone from this machine or when
 * nobody touched it for 30 s (a crash on another machine that shares the disk; a process id given to someone else). A stale lock
 * is removed under a second, short-lived lock, so that of several waiters exactly one takes over: without it, the slower of two
 * would remove the lock that the faster has just made.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const TOUCH_MS = 2_000;
const STALE_MS = 30_000;
const POLL_MS = 300;

/** @returns {{ token: string, pid: number, host: string } | undefined} undefined when there is no readable lock */
function read(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined; // Gone meanwhile, or caught between creation and writing: the age decides.
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** @returns {boolean} whether the lock at `file` was left behind by a holder that is gone */
function isStale(file, staleMs) {
  let age;
  try {
    age = Date.now() - statSync(file).mtimeMs;
  } catch {
    return false; // Released meanwhile.
  }
  const holder = read(file);
  return age > staleMs || (holder !== undefined && holder.host === hostname() && !isAlive(holder.pid));
}

/** @returns {boolean} whether this call made the file */
function create(file, token) {
  try {
    writeFileSync(file, JSON.stringify({ token, pid: process.pid, host: hostname() }), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

function removeStale(file, staleMs) {
  const broom = `${file}.broom`;
  if (!create(broom, "")) {
    if (isStale(broom, staleMs)) rmSync(broom, { force: true });
    return;
  }
  try {
    if (isStale(file, staleMs)) rmSync(file, { force: true });
  } finally {
    rmSync(broom, { force: true });
  }
}

/**
 * Wait for the lock and take it.
 *
 * @param {string} file
 * @param {{ onWait?: (pid: number | undefined) => void, staleMs?: number, pollMs?: number }} [options] `onWait`: called once,
 *   with the holder's process id, when somebody else has the lock
 * @returns {Promise<() => void>} releases the lock; harmless when called twice
 */
export async function acquireLock(file, { onWait, staleMs = STALE_MS, pollMs = POLL_MS } = {}) {
  mkdirSync(dirname(file), { recursive: true });
  const token = randomUUID();
  let waited = false;
  while (!create(file, token)) {
    if (isStale(file, staleMs)) {
      removeStale(file, staleMs);
      continue;
    }
    if (!waited) onWait?.(read(file)?.pid);
    waited = true;
    await sleep(pollMs);
  }
  const touch = setInterval(() => {
    try {
      const now = new Date();
      utimesSync(file, now, now);
    } catch {
      // The state folder was deleted while we work; the stamps written at the end make it again.
    }
  }, TOUCH_MS);
  touch.unref();
  return () => {
    clearInterval(touch);
    if (read(file)?.token === token) rmSync(file, { force: true });
  };
}
