// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SILENT } from "../../src/protocol/logger.ts";
import { reportProgress } from "../../src/validator/round/reportProgress.ts";

describe("progress of long steps", () => {
  it("a line every five seconds, with how far it has come; nothing of what takes less", () => {
    const lines: unknown[] = [];
    let now = 1_000;
    const logger = {
      ...SILENT,
      info: (fields: Record<string, unknown>, message: string) => lines.push([message, fields]),
    };
    const report = reportProgress(logger, "aggregating", () => now);
    for (const [at, done] of [
      [1_000, 10],
      [5_999, 20],
      [6_000, 30],
      [10_999, 40],
      [11_100, 999],
      [16_100, 1_000],
    ] as const) {
      now = at;
      report({ round: 3, pass: "gram", done, of: 1_000 });
    }
    assert.deepEqual(lines, [
      ["aggregating", { round: 3, pass: "gram", done: 30, of: 1_000, percent: 3 }],
      ["aggregating", { round: 3, pass: "gram", done: 999, of: 1_000, percent: 99 }],
      ["aggregating", { round: 3, pass: "gram", done: 1_000, of: 1_000, percent: 100 }],
    ]);
  });
});
