// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { holdUpdates } from "../../src/aggregation/holdUpdates.ts";
import type { UpdateSource } from "../../src/protocol/updateChunk.ts";
import { encodeArtifact } from "../../src/update/artifact.ts";
import { decodePayload, encodePayload } from "../../src/update/payload.ts";
import { verifyArtifact } from "../../src/update/verifyArtifact.ts";
import { valuesOf } from "../support/valuesOf.ts";
import { CODECS, commitTo, contextFor, LAYOUT, partsWith, VALUES } from "../update/fixtures.ts";

/** Counts the passes over an update. */
function counting(source: UpdateSource): { source: UpdateSource; passes: () => number } {
  let passes = 0;
  const open: UpdateSource["open"] = () => {
    passes++;
    return source.open();
  };
  return { source: { ...source, open }, passes: () => passes };
}

describe("holdUpdates", () => {
  for (const codec of CODECS) {
    it(`${codec.name}: held, an update has the same values in chunks of any sizes, and its artifact is not read again`, async () => {
      const payload = encodePayload(VALUES, codec);
      const artifact = encodeArtifact(partsWith({ codec: codec.name, payload }));
      const verdict = await verifyArtifact(artifact, commitTo(artifact), contextFor({ codec }));
      assert.ok(!("code" in verdict) && verdict.kind === "update");
      const { source, passes } = counting(verdict);
      const [held] = await holdUpdates([source], 1_000);
      for (const sizes of [[16], [1], [3, 1, 5], [7, 2]])
        assert.deepEqual(
          await valuesOf(held as UpdateSource, sizes),
          decodePayload(payload, codec, LAYOUT.size).values,
        );
      assert.equal(passes(), 1);
    });
  }

  it("holds all or none: nothing is read of a cohort that takes a byte more than it may", async () => {
    const artifact = encodeArtifact(partsWith());
    const verdict = await verifyArtifact(artifact, commitTo(artifact), contextFor());
    assert.ok(!("code" in verdict) && verdict.kind === "update");
    const bytes = verdict.bytesPerChunk(LAYOUT.size);
    const cohort = [counting(verdict), counting(verdict)];
    const sources = cohort.map(({ source }) => source);
    assert.equal(await holdUpdates(sources, 2 * bytes - 1), sources);
    assert.deepEqual(
      cohort.map(({ passes }) => passes()),
      [0, 0],
    );
    assert.notEqual(await holdUpdates(sources, 2 * bytes), sources);
    assert.deepEqual(
      cohort.map(({ passes }) => passes()),
      [1, 1],
    );
  });
});
