// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { serverLearningDigests } from "../../fixtures/serverLearningDigest.ts";

it("server-side learning on the agreed engine computes the recorded bits on this machine", async () => {
  // As with the engine's own digests: a difference means that validators would not agree. Recorded anew only when a strategy was changed on purpose.
  const recorded = JSON.parse(readFileSync(new URL("../../vectors/serverLearning.json", import.meta.url), "utf8"));
  assert.deepEqual(await serverLearningDigests(), recorded);
});
