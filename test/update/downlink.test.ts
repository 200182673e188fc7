// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { MASTER_LIMIT, UPDATE_LIMIT, WEIGHT_ONE } from "../../src/protocol/grid.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import { applyDownlink, compressDownlink, DownlinkHistory } from "../../src/update/downlink.ts";
import { encodePayload } from "../../src/update/payload.ts";
import { compress } from "../../src/update/zstdFrame.ts";
import { CODECS, LAYOUT } from "./fixtures.ts";

const ALL: readonly CodecConfig[] = [
  ...CODECS,
  { name: "randk-int16", blockSize: 3, keep: 7, unbiased: false },
  { name: "qsgd", blockSize: 7, levels: 15, scaled: true },
  { name: "fp16" },
];

describe("compressDownlink", () => {
  it("half of (3, 1): (3, 0) goes out, (0, 1) waits", () => {
    const layout = modelLayout([{ name: "w", shape: [2], fractionBits: 0, group: 0 }]);
    const { moved, residual } = compressDownlink({
      movement: Float64Array.of(3 * WEIGHT_ONE, WEIGHT_ONE),
      residual: new Float64Array(2),
      layout,
      codec: { name: "topk-int16", blockSize: 1, keep: 1 },
    });
    assert.deepEqual([...moved], [3 * WEIGHT_ONE, 0]);
    assert.deepEqual([...residual], [0, WEIGHT_ONE]);
  });

  it("server and replicas stay alike, and what was sent with what waits is all that was to be sent, to the last bit", () => {
    const movements = fc.array(
      fc.array(fc.integer({ min: -(2 ** 36), max: 2 ** 36 }), { minLength: LAYOUT.size, maxLength: LAYOUT.size }),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(movements, fc.constantFrom(...ALL), (rounds, codec) => {
        let server: Float64Array = new Float64Array(LAYOUT.size).fill(12_345);
        let replica: Float64Array = Float64Array.from(server);
        let residual: Float64Array = new Float64Array(LAYOUT.size);
        const wanted = new Float64Array(LAYOUT.size);
        const sent = new Float64Array(LAYOUT.size);
        for (const [t, list] of rounds.entries()) {
          const place = { run: 1n, round: t };
          const movement = Float64Array.from(list);
          const random = keyedRandom("downlink", t);
          const step = compressDownlink({ movement, residual, layout: LAYOUT, codec, place, random });
          residual = step.residual;
          server = server.map((m, j) => m + (step.moved[j] as number));
          replica = applyDownlink(replica, step.payload, { layout: LAYOUT, codec, place });
          for (const [j, value] of movement.entries()) {
            wanted[j] = (wanted[j] as number) + value;
            sent[j] = (sent[j] as number) + (step.moved[j] as number);
          }
        }
        assert.deepEqual(replica, server);
        assert.deepEqual(
          sent.map((value, j) => value + (residual[j] as number)),
          wanted,
        );
      }),
      { seed: 61, numRuns: 60 },
    );
  });

  it("what the update grid cannot say waits: values beyond it and the sixteen bits below", () => {
    const layout = modelLayout([{ name: "w", shape: [2], fractionBits: 0, group: 0 }]);
    const movement = Float64Array.of(2 * UPDATE_LIMIT * WEIGHT_ONE, 7);
    const codec: CodecConfig = { name: "int16", blockSize: 1 };
    const { moved, residual } = compressDownlink({ movement, residual: new Float64Array(2), layout, codec });
    assert.equal(moved[0], 513 * 32_704 * WEIGHT_ONE);
    assert.deepEqual([moved[1], residual[1]], [0, 7]);
    assert.equal((moved[0] as number) + (residual[0] as number), movement[0]);
  });

  it("an unbiased codec leaves nothing", () => {
    const codec: CodecConfig = { name: "qsgd", blockSize: 16, levels: 2, scaled: false };
    const movement = new Float64Array(LAYOUT.size).fill(100 * WEIGHT_ONE);
    const zeros = new Float64Array(LAYOUT.size);
    const step = compressDownlink({ movement, residual: zeros, layout: LAYOUT, codec, random: keyedRandom("u") });
    assert.deepEqual(step.residual, zeros);
  });

  it("refuses vectors of another size, payloads off the grid, and models that would leave it", () => {
    const codec: CodecConfig = { name: "int16", blockSize: 16 };
    const zeros = new Float64Array(LAYOUT.size);
    assert.throws(() => compressDownlink({ movement: zeros, residual: new Float64Array(1), layout: LAYOUT, codec }), {
      code: "MALFORMED_INPUT",
    });
    const content = new Uint8Array(4 + 2 * LAYOUT.size);
    content.set([0xff, 0xff, 0xff, 0xff, 0x7f, 0xff]);
    assert.throws(() => applyDownlink(zeros, compress(content), { layout: LAYOUT, codec }), /off the grid/);
    const full = new Float64Array(LAYOUT.size).fill(MASTER_LIMIT - 1);
    const up = encodePayload(new Int32Array(LAYOUT.size).fill(1), codec);
    assert.throws(() => applyDownlink(full, up, { layout: LAYOUT, codec }), { code: "OFF_GRID" });
  });
});

describe("DownlinkHistory", () => {
  it("gives what a client missed, or nothing where it needs the whole model", () => {
    const history = new DownlinkHistory(3);
    for (let round = 1; round <= 5; round++) if (round !== 4) history.add(round, Uint8Array.of(round));
    assert.deepEqual(history.since(5), []);
    assert.deepEqual(history.since(2), [Uint8Array.of(3), Uint8Array.of(5)]);
    assert.equal(history.since(1), undefined);
    assert.equal(history.since(undefined), undefined);
  });
});
