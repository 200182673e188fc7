// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { REFUSALS, refusalName, refuse } from "../../src/protocol/refusals.ts";

const PAGE = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");
const entries = Object.entries(REFUSALS).map(([name, { code }]) => [code, name] as const);

describe("refusals", () => {
  it("have unique codes, ascending from 1, that fit the byte of a verdict; 0 says yes", () => {
    assert.deepEqual(
      entries.map(([code]) => code),
      entries.map((_, i) => i + 1),
    );
    assert.ok(entries.length < 256);
  });
  it("are the table of docs/protocol.md", () => {
    const start = PAGE.indexOf("\n## Verification of an artifact");
    assert.ok(start >= 0, "docs/protocol.md has no such section");
    const section = PAGE.slice(start, PAGE.indexOf("\n## ", start + 1));
    const rows = [...section.matchAll(/^\| *(\d+) *\| *`?([A-Z_]+)`? *\|/gm)].map(
      ([, code, name]) => [Number(code), name] as const,
    );
    assert.deepEqual(rows, entries);
  });
  it("have a sentence each, and no two the same", () => {
    const sentences = Object.values(REFUSALS).map(({ sentence }) => sentence);
    for (const sentence of sentences) assert.match(sentence, /^[A-Z].*\.$/);
    assert.equal(new Set(sentences).size, sentences.length);
  });
  it("are named by their codes, and unknown codes say so", () => {
    for (const [code, name] of entries) assert.equal(refusalName(code), name);
    assert.equal(refusalName(0), "UNKNOWN_0");
    assert.equal(refusalName(entries.length + 1), `UNKNOWN_${entries.length + 1}`);
  });
  it("carry the values behind them", () => {
    assert.deepEqual(refuse("NORM_BOUND", { normSq: 5n }), { name: "NORM_BOUND", code: 13, values: { normSq: 5n } });
  });
});
