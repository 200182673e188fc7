// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { agreedDigests } from "../fixtures/agreedEngineDigest.ts";

it("the agreed engine computes the recorded bits on this machine", async () => {
  // Different digests here mean that this machine's utilities would differ from other validators': not a vector to update,
  // unless the engine's version was changed on purpose.
  const recorded = JSON.parse(readFileSync(new URL("../vectors/agreedEngine.json", import.meta.url), "utf8"));
  assert.deepEqual(await agreedDigests(), recorded);
});
