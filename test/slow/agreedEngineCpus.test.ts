// SPDX-License-Identifier: Apache-2.0

/**
 * The agreed engine on CPUs that this machine is not: qemu emulates a Nehalem (2008; SSE4.2, no AVX) and a Haswell (2013;
 * AVX2 and fused multiply-add). Debian: `apt install qemu-user-static`. About a minute and a half.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const QEMU = (process.env["PATH"] ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "qemu-x86_64-static"))
  .find(existsSync);
const reason =
  QEMU === undefined
    ? "qemu-x86_64-static is not installed (Debian: apt install qemu-user-static)"
    : process.platform !== "linux" || process.arch !== "x64"
      ? `needs the Linux x64 build of Node, this is ${process.platform} ${process.arch}`
      : false;

/** Standard output of a fixture, run by this Node on the emulated CPU. */
async function runOn(cpu: string, fixture: string): Promise<string> {
  const program = fileURLToPath(new URL(`../fixtures/${fixture}`, import.meta.url));
  const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
  // stderr carries qemu's list of CPU features it lacks; a failure still rejects with it.
  const { stdout } = await promisify(execFile)(QEMU as string, ["-cpu", cpu, process.execPath, program], {
    env,
    timeout: 180_000,
  });
  return stdout.trim();
}

describe("agreed engine across CPU generations", { skip: reason }, () => {
  for (const [what, fixture, vector] of [
    ["the engine", "agreedEngineDigest.ts", "agreedEngine.json"],
    ["server-side learning on it", "serverLearningDigest.ts", "serverLearning.json"],
  ] as const) {
    const recorded: unknown = JSON.parse(readFileSync(new URL(`../vectors/${vector}`, import.meta.url), "utf8"));
    for (const cpu of ["Nehalem", "Haswell"]) {
      it(`${what} computes the recorded bits on ${cpu}`, async () => {
        assert.deepEqual(JSON.parse(await runOn(cpu, fixture)), recorded);
      });
    }
  }

  it("while the native engine differs between these CPUs, so the emulation would show a difference", async () => {
    assert.notEqual(await runOn("Nehalem", "nativeEngineDigest.ts"), await runOn("Haswell", "nativeEngineDigest.ts"));
  });
});
