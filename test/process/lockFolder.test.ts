// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { lockFolder } from "../../src/process/lockFolder.ts";
import { ConfigError } from "../../src/protocol/errors.ts";
import { temporaryFolder } from "../cli/support.ts";

describe("lockFolder", () => {
  it("makes the folder, and gives it back", async (t) => {
    const folder = join(await temporaryFolder(t), "a", "b");
    const release = await lockFolder(folder);
    assert.deepEqual(await readdir(folder), ["lock"]);
    await release();
    assert.deepEqual(await readdir(folder), []);
  });

  it("refuses a folder that a running process holds, and takes it over once that was killed", async (t) => {
    const folder = await temporaryFolder(t);
    const holder = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    t.after(() => void holder.kill("SIGKILL"));
    await once(holder, "spawn");
    await writeFile(join(folder, "lock"), String(holder.pid));
    await assert.rejects(
      lockFolder(folder),
      (error: Error) =>
        error instanceof ConfigError && error.message.includes(`Process ${holder.pid} works in ${folder}`),
    );
    const exited = once(holder, "exit");
    holder.kill("SIGKILL");
    await exited;
    await (await lockFolder(folder))();
  });

  it("takes over what a crash left half written", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "lock"), "");
    await (await lockFolder(folder))();
  });
});
