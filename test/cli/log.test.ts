// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createLog } from "../../src/cli/log.ts";

function collect(): { lines: string[]; write(line: string): void } {
  const lines: string[] = [];
  return { lines, write: (line) => void lines.push(line) };
}

describe("the log", () => {
  it("writes one JSON object a line for machines, from its level on", () => {
    const sink = collect();
    const log = createLog("info", { pretty: false, sink });
    log.debug({ round: 1 }, "too quiet");
    log.warn({ round: 3, pool: 10n ** 20n, nested: { amount: 5n } }, "update refused");
    assert.equal(sink.lines.length, 1);
    const { time, ...line } = JSON.parse(sink.lines[0] as string) as Record<string, unknown>;
    assert.equal(typeof time, "number");
    assert.equal(line.level, 40);
    assert.equal(line.round, 3);
    assert.equal(line.msg, "update refused");
    assert.match(sink.lines[0] as string, /"pool":"?100000000000000000000"?,/, "every digit");
  });

  it("writes one plain line for people", () => {
    const sink = collect();
    const log = createLog("debug", { pretty: true, sink });
    log.info({ round: 3, kept: true, codes: [1, 2] }, "round closed");
    log.error({}, "no fields");
    assert.match(sink.lines[0] as string, /^\d\d:\d\d:\d\d info {2}round closed {2}round=3 kept=true codes=\[1,2\]\n$/);
    assert.match(sink.lines[1] as string, /^\d\d:\d\d:\d\d error no fields\n$/);
  });

  it("never shows a secret that gets into its fields", () => {
    for (const pretty of [true, false]) {
      const sink = collect();
      const log = createLog("info", { pretty, sink });
      for (const name of ["passphrase", "privateKey", "encryptionPrivateKey", "beaconSecret", "salt", "loss"]) {
        log.info({ [name]: "hunter2", keys: { [name]: "hunter2" } }, "careless");
      }
      assert.equal(sink.lines.length, 6);
      for (const line of sink.lines) assert.doesNotMatch(line, /hunter2/);
    }
  });

  it("says nothing when silent", () => {
    const sink = collect();
    createLog("silent", { sink }).error({}, "anything");
    assert.deepEqual(sink.lines, []);
  });
});
