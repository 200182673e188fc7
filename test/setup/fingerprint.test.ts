// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { filesBelow, fingerprint } from "../../scripts/setup/fingerprint.mjs";

describe("fingerprint", () => {
  let root: string;
  const of = (paths = ["a"], words: string[] = []): string => fingerprint(paths, words, root);
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "foedus-fingerprint-"));
    mkdirSync(join(root, "a", "b"), { recursive: true });
    writeFileSync(join(root, "a", "b", "2.sol"), "two");
    writeFileSync(join(root, "a", "1.sol"), "one");
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it("lists files below a folder, a file itself, and nothing for what is absent", () => {
    assert.deepEqual(filesBelow("a", root), ["a/1.sol", "a/b/2.sol"]);
    assert.deepEqual(filesBelow("a/1.sol", root), ["a/1.sol"]);
    assert.deepEqual(filesBelow("c", root), []);
  });

  const changes: readonly (readonly [string, (root: string) => void])[] = [
    ["a changed byte", (at) => writeFileSync(join(at, "a", "1.sol"), "onE")],
    ["a new file", (at) => writeFileSync(join(at, "a", "3.sol"), "")],
    ["a removed file", (at) => rmSync(join(at, "a", "1.sol"))],
    ["a renamed file", (at) => renameSync(join(at, "a", "1.sol"), join(at, "a", "0.sol"))],
    [
      "a byte moved between files",
      (at) => {
        writeFileSync(join(at, "a", "1.sol"), "onet");
        writeFileSync(join(at, "a", "b", "2.sol"), "wo");
      },
    ],
  ];
  for (const [name, change] of changes) {
    it(`differs after ${name}`, () => {
      const before = of();
      assert.equal(of(), before);
      change(root);
      assert.notEqual(of(), before);
    });
  }
  it("differs with the words", () => {
    const all = [of(), of(["a"], ["solc@1"]), of(["a"], ["solc@2"]), of(["a"], ["solc@", "1"])];
    assert.equal(new Set(all).size, all.length);
  });
});
