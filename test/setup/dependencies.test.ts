// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { differences, isWanted } from "../../scripts/setup/dependencies.mjs";

const LINUX = { os: "linux", cpu: "x64", libc: "glibc" };

describe("isWanted", () => {
  it("without conditions", () => assert.equal(isWanted({}, LINUX), true));
  it("by system, processor and C library", () => {
    assert.equal(isWanted({ os: ["linux"], cpu: ["x64"], libc: ["glibc"] }, LINUX), true);
    assert.equal(isWanted({ os: ["darwin"], cpu: ["x64"] }, LINUX), false);
    assert.equal(isWanted({ os: ["linux"], cpu: ["arm64"] }, LINUX), false);
    assert.equal(isWanted({ os: ["linux"], cpu: ["x64"], libc: ["musl"] }, LINUX), false);
  });
  it("with exclusions and bare words", () => {
    assert.equal(isWanted({ os: ["!win32"] }, LINUX), true);
    assert.equal(isWanted({ os: ["!linux"] }, LINUX), false);
    assert.equal(isWanted({ os: "linux" }, LINUX), true);
  });
});

describe("differences", () => {
  const lock = {
    packages: {
      "": { version: "0.1.0" },
      "node_modules/a": { version: "1.0.0" },
      "node_modules/edr-linux-x64": { version: "1.0.0", optional: true, os: ["linux"], cpu: ["x64"] },
      "node_modules/edr-win32-x64": { version: "1.0.0", optional: true, os: ["win32"], cpu: ["x64"] },
      "node_modules/wasm-runtime": { version: "1.0.0", optional: true },
    },
  };
  const installed = (...names: string[]) => ({
    packages: Object.fromEntries(names.map((name) => [`node_modules/${name}`, { version: "1.0.0" }])),
  });

  it("none, though other platforms' parts are absent", () =>
    assert.deepEqual(differences(lock, installed("a", "edr-linux-x64"), LINUX), []));
  it("the native binding that an old Node's npm skipped", () =>
    assert.deepEqual(differences(lock, installed("a"), LINUX), ["node_modules/edr-linux-x64"]));
  it("another version", () => {
    const other = { packages: { ...installed("edr-linux-x64").packages, "node_modules/a": { version: "1.0.1" } } };
    assert.deepEqual(differences(lock, other, LINUX), ["node_modules/a"]);
  });
});
