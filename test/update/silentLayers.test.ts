// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ParameterTensor, parameterLayout } from "../../src/learning/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import { encodePayload } from "../../src/update/payload.ts";

const CODECS: readonly CodecConfig[] = [
  { name: "int8", blockSize: 128 },
  { name: "int16", blockSize: 128 },
  { name: "fp16" },
  { name: "qsgd", levels: 15, blockSize: 512, scaled: true },
];
/** Four matrices and four biases in turn. */
const tensorsOf = (inputs: number, width: number): readonly ParameterTensor[] =>
  parameterLayout({ kind: "mlp", inputs, hidden: [width, width, width], classes: 10, activation: "relu" });

/** Which tensors travel, by place. */
const SENT: Readonly<Record<string, (at: number) => boolean>> = {
  "the lower half": (at) => at < 4,
  "every second layer": (at) => at % 4 >= 2,
  "the matrices": (at) => at % 2 === 0,
  "the biases": (at) => at % 2 === 1,
};

/** Bytes of the payload of an update that is silent elsewhere, and of a payload that has no more coordinates than those sent. */
function bytesOf(
  tensors: readonly ParameterTensor[],
  codec: CodecConfig,
  isSent: (at: number) => boolean,
): { whole: number; alone: number } {
  const values = tensors.map(({ name, size }, at) => {
    const random = keyedRandom("silent layers", name);
    return Float64Array.from({ length: size }, () => (isSent(at) ? Math.trunc(2_000 * random.normal()) : 0));
  });
  const bytes = (parts: readonly Float64Array[]): number => {
    const joined = Float64Array.from(parts.flatMap((part) => [...part]));
    return encodePayload(joined, codec, { dice: { random: keyedRandom("dice"), fits: () => true } }).length;
  };
  return { whole: bytes(values), alone: bytes(values.filter((_, at) => isSent(at))) };
}

describe("what silent tensors cost in a payload", () => {
  for (const codec of CODECS)
    for (const [which, isSent] of Object.entries(SENT))
      it(`${codec.name}, ${which} travel: at most 256 bytes or 0.5 % more than they alone, of 4 522 coordinates and of 272 150`, () => {
        for (const tensors of [tensorsOf(64, 32), tensorsOf(784, 220)]) {
          const { whole, alone } = bytesOf(tensors, codec, isSent);
          assert.ok(whole - alone <= Math.max(256, 0.005 * alone), `${whole} against ${alone} bytes`);
        }
      });
});
