// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { LogFile } from "../../src/process/logFile.ts";
import { ConfigError } from "../../src/protocol/errors.ts";

describe("a log file", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "foedus-log-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("has one JSON object a line, and goes on in the one there is if asked to", async () => {
    const path = join(folder, "log.jsonl");
    for (const [flags, round] of [
      ["w", 1n],
      ["a", 2n],
    ] as const) {
      const log = await LogFile.open(path, flags);
      log.write({ round, message: "closed" });
      await log.close();
      await log.close();
      assert.equal(log.failure, undefined);
    }
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    const parsed = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      parsed.map(({ round, message }) => [round, message]),
      [
        ["1", "closed"],
        ["2", "closed"],
      ],
    );
    assert.ok(parsed.every(({ at }) => Number.isFinite(Date.parse(at))));
  });

  it("BAD_CONFIG where no file can be, when it is opened", () =>
    assert.rejects(LogFile.open(folder, "a"), (error: Error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /cannot be written \(EISDIR/);
      return true;
    }));

  it("says what was lost when the disk is full, and ends nothing", {
    skip: existsSync("/dev/full") ? false : "this system has no /dev/full",
  }, async () => {
    const log = await LogFile.open("/dev/full", "w");
    log.write({ message: "lost" });
    await log.close();
    assert.match(log.failure?.message ?? "", /The log \/dev\/full cannot be written \(ENOSPC/);
    log.write({ message: "lost as well" });
    await log.close();
  });
});
