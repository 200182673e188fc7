// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { acquireLock } from "../../scripts/setup/lock.mjs";

describe("the set-up's lock", () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "foedus-lock-"));
    file = join(folder, "state", "setup.lock");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("is held by one at a time, in a hundred tries from eight hands", async () => {
    let inside = 0;
    let most = 0;
    let turns = 0;
    const hand = async () => {
      for (let turn = 0; turn < 12; turn++) {
        const release = await acquireLock(file, { pollMs: 1 });
        most = Math.max(most, ++inside);
        await new Promise((done) => setImmediate(done));
        inside -= 1;
        turns += 1;
        release();
      }
    };
    await Promise.all(Array.from({ length: 8 }, hand));
    assert.deepEqual({ most, turns, left: existsSync(file) }, { most: 1, turns: 96, left: false });
  });

  it("makes the second wait, and says for whom", async () => {
    const release = await acquireLock(file);
    let waitsFor: number | undefined;
    const second = acquireLock(file, {
      pollMs: 1,
      onWait: (pid) => {
        waitsFor = pid;
        release();
      },
    });
    (await second)();
    assert.equal(waitsFor, process.pid);
  });

  it("is taken over when its process is gone", async () => {
    (await acquireLock(file))();
    // Process ids end at 2^22 on Linux and below 2^31 anywhere.
    writeFileSync(file, JSON.stringify({ token: "t", pid: 2 ** 31 - 1, host: hostname() }));
    const release = await acquireLock(file, { onWait: () => assert.fail("there is nobody to wait for") });
    release();
    assert.equal(existsSync(file), false);
  });

  it("is taken over when nobody touched it for long, whoever has its process id now", async () => {
    (await acquireLock(file))();
    writeFileSync(file, JSON.stringify({ token: "t", pid: process.pid, host: hostname() }));
    const old = new Date(Date.now() - 60_000);
    utimesSync(file, old, old);
    (await acquireLock(file, { onWait: () => assert.fail("it is stale") }))();
  });

  it("of another machine is not judged by a process id of this one", async () => {
    (await acquireLock(file))();
    writeFileSync(file, JSON.stringify({ token: "t", pid: 2 ** 31 - 1, host: "elsewhere" }));
    let waited = false;
    const second = acquireLock(file, {
      pollMs: 1,
      onWait: () => {
        waited = true;
        rmSync(file);
      },
    });
    (await second)();
    assert.equal(waited, true);
  });

  it("released late does not remove its successor's", async () => {
    const release = await acquireLock(file);
    rmSync(file);
    const releaseSecond = await acquireLock(file);
    release();
    assert.equal(existsSync(file), true);
    releaseSecond();
  });
});
