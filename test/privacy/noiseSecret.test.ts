// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { noiseSecret } from "../../src/privacy/noiseSecret.ts";

describe("noiseSecret", () => {
  it("is made once, for its owner only, and found again; a file of another length is refused", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "foedus-secret-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const path = join(folder, "state", "noise.key");
    const secret = await noiseSecret(path);
    assert.equal(secret.length, 32);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(await noiseSecret(path), secret);
    assert.notDeepEqual(await noiseSecret(join(folder, "other.key")), secret);
    await writeFile(path, new Uint8Array(31));
    await assert.rejects(noiseSecret(path), /31 bytes instead of 32/);
  });
});
