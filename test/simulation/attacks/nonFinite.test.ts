// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DecodeError } from "../../../src/protocol/errors.ts";
import { modelLayout } from "../../../src/protocol/layout.ts";
import type { CodecConfig } from "../../../src/protocol/recipe/codecConfig.ts";
import { nonFinite } from "../../../src/simulation/attacks/nonFinite.ts";
import { checkPayload } from "../../../src/update/checkPayload.ts";
import { encodePayload } from "../../../src/update/payload.ts";
import { configOf } from "./fixtures.ts";

const SIZE = 100;
const layout = modelLayout([{ name: "w", shape: [10, 10], fractionBits: 18, group: 0 }]);
const CODECS: CodecConfig[] = [
  { name: "int16", blockSize: 16 },
  { name: "int8", blockSize: 64 },
  { name: "topk-int16", blockSize: 8, keep: 10 },
  { name: "randk-int8", blockSize: 8, keep: 10, unbiased: false },
  { name: "qsgd", levels: 7, blockSize: 32, scaled: true },
  { name: "fp16" },
  { name: "low-rank", rank: 2 },
];
const verdict = async (payload: Uint8Array, codec: CodecConfig): Promise<string> => {
  const frame = async function* () {
    yield payload;
  };
  const bounds = { maxCoordinate: 16_777_215, maxNormSq: 1n << 60n };
  const context = { layout, codec, bounds, master: new Float64Array(SIZE), place: { run: 1n, round: 1 } };
  try {
    return (await checkPayload(frame, context)).refusal?.name ?? "accepted";
  } catch (error) {
    assert.ok(error instanceof DecodeError);
    return "MALFORMED";
  }
};

describe("the number bomb", () => {
  for (const codec of CODECS)
    it(`is refused by verification: ${codec.name}`, async () => {
      for (const value of ["nan", "infinity", "off-grid", "unused-level"]) {
        const judged = await verdict(nonFinite(configOf("non-finite", { value }), codec, layout), codec);
        // A product's scale is a shift of at most 40.
        const noShift = codec.name === "low-rank" && value !== "off-grid";
        assert.equal(
          judged,
          codec.name === "fp16" || value === "unused-level" || noShift ? "MALFORMED" : "OFF_GRID",
          value,
        );
      }
    });

  it("differs in nothing else from a payload that is accepted", async () => {
    const codec = CODECS[0] as CodecConfig;
    assert.equal(await verdict(encodePayload(new Int32Array(SIZE).fill(1), codec), codec), "accepted");
  });
});
