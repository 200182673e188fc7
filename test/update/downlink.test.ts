// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { joinMaster, MASTER_LIMIT, splitMaster, UPDATE_LIMIT, WEIGHT_ONE } from "../../src/protocol/grid.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import {
  applyDownlink,
  compressDownlink,
  headVersion,
  missedDownlinks,
  NO_DOWNLINKS,
  withDownlink,
} from "../../src/update/downlink.ts";
import { encodePayload } from "../../src/update/payload.ts";
import { compress } from "../../src/update/zstdFrame.ts";
import { CODECS, LAYOUT } from "./fixtures.ts";

const ALL: readonly CodecConfig[] = [
  ...CODECS,
  { name: "randk-int16", blockSize: 3, keep: 7, unbiased: false },
  { name: "qsgd", blockSize: 7, levels: 15, scaled: true },
  { name: "fp16" },
  { name: "low-rank", rank: 1 },
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

describe("missedDownlinks", () => {
  const payload = (round: number) => new Uint8Array(10).fill(round);
  const sent = (round: number) => ({ round, payload: payload(round) });
  const MODEL = 1_000;
  // Round 4 moved nothing.
  const history = [1, 2, 3, 5].reduce((so, round) => withDownlink(so, sent(round), 3), NO_DOWNLINKS);

  it("is what a replica lacks, in order: with H = 3 up to three movements, more of them are the whole model", () => {
    assert.equal(headVersion(history), 5);
    assert.deepEqual(missedDownlinks(history, 5, MODEL), []);
    assert.deepEqual(missedDownlinks(history, 2, MODEL), [sent(3), sent(5)]);
    assert.deepEqual(missedDownlinks(history, 1, MODEL), [sent(2), sent(3), sent(5)]);
    assert.equal(missedDownlinks(history, 0, MODEL), undefined);
  });

  it("whoever has no model is sent it whole, whoever has the initial one only what moved since", () => {
    assert.equal(missedDownlinks(NO_DOWNLINKS, undefined, MODEL), undefined);
    assert.deepEqual(missedDownlinks(NO_DOWNLINKS, 0, MODEL), []);
    assert.equal(headVersion(NO_DOWNLINKS), 0);
    const first = withDownlink(NO_DOWNLINKS, sent(1), 1);
    assert.deepEqual(missedDownlinks(first, 0, MODEL), [sent(1)]);
    assert.equal(missedDownlinks(withDownlink(first, sent(2), 1), 0, MODEL), undefined);
  });

  it("movements that are together longer than the model are not sent", () => {
    assert.equal(missedDownlinks(history, 1, 29), undefined);
    assert.equal(missedDownlinks(history, 1, 30)?.length, 3);
    assert.equal(missedDownlinks(history, 2, 29)?.length, 2);
  });

  it("a replica that is away for any rounds has the server's model, bit for bit, from a history shorter or longer than that", () => {
    const rounds = fc.array(
      fc.record({
        movement: fc.array(fc.integer({ min: -(2 ** 36), max: 2 ** 36 }), {
          minLength: LAYOUT.size,
          maxLength: LAYOUT.size,
        }),
        failed: fc.boolean(),
        present: fc.boolean(),
      }),
      { minLength: 1, maxLength: 12 },
    );
    const ways = new Set<string>();
    fc.assert(
      fc.property(rounds, fc.constantFrom(...ALL), fc.integer({ min: 1, max: 4 }), (list, codec, length) => {
        let server = new Float64Array(LAYOUT.size).fill(3 * WEIGHT_ONE);
        let kept = NO_DOWNLINKS;
        let residual = new Float64Array(LAYOUT.size);
        let replica: { master: Float64Array; version: number } | undefined;
        for (const [i, { movement, failed, present }] of [...list, { ...list[0], present: true }].entries()) {
          const round = i + 1;
          if (present) {
            const missed = missedDownlinks(kept, replica?.version, 4 * LAYOUT.size * 10);
            ways.add(missed === undefined ? "model" : `${missed.length}`);
            let master: Float64Array = missed === undefined ? wholeModel(server) : (replica?.master as Float64Array);
            for (const { round: of, payload: bytes } of missed ?? [])
              master = applyDownlink(master, bytes, { layout: LAYOUT, codec, place: { run: 1n, round: of } });
            assert.deepEqual(master, server);
            replica = { master, version: headVersion(kept) };
          }
          if (failed === true) continue;
          const place = { run: 1n, round };
          const step = compressDownlink({
            movement: Float64Array.from(movement as number[]),
            residual,
            layout: LAYOUT,
            codec,
            place,
            random: keyedRandom("downlink", round),
          });
          residual = Float64Array.from(step.residual);
          server = server.map((m, j) => m + (step.moved[j] as number));
          kept = withDownlink(kept, { round, payload: step.payload }, length);
        }
      }),
      { seed: 67, numRuns: 80 },
    );
    for (const way of ["model", "0", "1", "2", "3", "4"]) assert.ok(ways.has(way), way);
  });
});

/** The model sent whole is its float view: movements are whole units of it, so its remainder stays that of the initial model, zero. */
function wholeModel(server: Float64Array): Float64Array {
  return joinMaster(splitMaster(server, LAYOUT).view, new Int16Array(LAYOUT.size), LAYOUT);
}
