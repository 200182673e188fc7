// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { driverIsMissing } from "../kernels/gpu/driver.ts";
import { assertPromises, demoRun } from "./demoRun.ts";

const skip = await driverIsMissing();

describe("a federation whose validators aggregate on a GPU", { skip }, () => {
  it("keeps its promises, among them that the audit finds the same with the reference", async (t) => {
    // With "gpu" nothing falls back: a validator that cannot use the device ends the demo.
    const outcome = await demoRun(t, { rounds: 2, device: "gpu" });
    assertPromises(outcome);
    assert.equal(outcome.report.audit?.failures.length, 0);
  });
});
