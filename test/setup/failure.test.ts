// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { lastLines, npmFailure } from "../../scripts/setup/failure.mjs";

describe("a failed npm says what helps", () => {
  const cases: readonly (readonly [string, RegExp, RegExp])[] = [
    ["npm error code ENOTFOUND\nnpm error network request failed", /registry could not be reached/, /proxy/],
    ["npm error code ENOSPC\nnpm error nospc no space left on device", /disk is full/, /free about 2 GB/],
    ["npm error code EACCES\nnpm error syscall mkdir", /cannot be written/, /writable/],
    ["npm error code EUSAGE\nnpm ci can only install when … are in sync", /differ/, /complete-lock/],
    ["npm error code EINTEGRITY", /bytes differ/, /npm cache verify/],
    ["npm error code E404", /lacks a package/, /complete registry/],
    ["npm error code E401", /refused access/, /credentials/],
    ["something else", /exit code 7/, /lines above/],
  ];
  for (const [output, means, nextStep] of cases) {
    it(output.split("\n")[0] ?? "", () => {
      const error = npmFailure("Installing the packages", { code: 7, output, log: "x.log" });
      assert.match(error.message, means);
      assert.match(error.nextStep, nextStep);
      assert.match(error.report(), /x\.log/);
      assert.ok(error.report().includes(output.split("\n")[0] ?? ""));
    });
  }
  it("shows the last lines that say something", () => assert.deepEqual(lastLines("a\n\nb \n\n c\n\n", 2), ["b", " c"]));
});
