// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { missingEntries, platformOf } from "../../scripts/complete-lock.mjs";

describe("platformOf", () => {
  const cases: readonly (readonly [string, object | undefined])[] = [
    ["@biomejs/cli-linux-arm64-musl", { os: ["linux"], cpu: ["arm64"], libc: ["musl"] }],
    ["@oxc-parser/binding-linux-arm-gnueabihf", { os: ["linux"], cpu: ["arm"], libc: ["glibc"] }],
    ["@oxc-parser/binding-android-arm-eabi", { os: ["android"], cpu: ["arm"] }],
    ["@nomicfoundation/edr-win32-x64-msvc", { os: ["win32"], cpu: ["x64"] }],
    ["@nomicfoundation/edr-darwin-arm64", { os: ["darwin"], cpu: ["arm64"] }],
    ["fsevents", undefined],
  ];
  for (const [name, platform] of cases) it(name, () => assert.deepEqual(platformOf(name), platform));
});

describe("missingEntries", () => {
  const lock = (packages: Record<string, object>) => ({ packages: { "": {}, ...packages } });

  it("adds what the lock lacks, with the dependent's dev mark", () => {
    const missing = missingEntries(
      lock({
        "node_modules/a": {
          version: "1.0.0",
          dev: true,
          optionalDependencies: { "a-linux-x64": "1.0.0", "a-win32-x64": "1.0.0" },
        },
        "node_modules/a-linux-x64": { version: "1.0.0" },
      }),
    );
    assert.deepEqual(
      [...missing],
      [["node_modules/a-win32-x64", { version: "1.0.0", dev: true, optional: true, os: ["win32"], cpu: ["x64"] }]],
    );
  });
  it("puts another version beside its dependent", () => {
    const dependent = (version: string) => ({ version, optionalDependencies: { "a-win32-x64": version } });
    const missing = missingEntries(
      lock({ "node_modules/a": dependent("1.0.0"), "node_modules/b/node_modules/a": dependent("2.0.0") }),
    );
    assert.deepEqual(
      [...missing.keys()],
      ["node_modules/a-win32-x64", "node_modules/b/node_modules/a/node_modules/a-win32-x64"],
    );
  });
  it("changes nothing in a complete lock, nor the lock it is given", () => {
    const complete = lock({ "node_modules/a": { version: "1.0.0", optionalDependencies: { "a-win32-x64": "1.0.0" } } });
    const before = structuredClone(complete);
    for (const [path, entry] of missingEntries(complete)) Object.assign(before.packages, { [path]: entry });
    assert.equal(missingEntries(before).size, 0);
    assert.equal(missingEntries(complete).size, 1);
  });
  it("refuses what it cannot know: no platform in the name, or a range", () => {
    const wants = (optionalDependencies: Record<string, string>) =>
      lock({ "node_modules/a": { version: "1.0.0", optionalDependencies } });
    assert.throws(() => missingEntries(wants({ fsevents: "2.3.3" })), /fsevents@2\.3\.3/);
    assert.throws(() => missingEntries(wants({ "a-win32-x64": "^1.0.0" })), /a-win32-x64@\^1\.0\.0/);
  });
});
