// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { squaredNorm } from "../../src/protocol/exactNorm.ts";
import { MASTER_LIMIT, MASTER_MIN, UPDATE_LIMIT } from "../../src/protocol/grid.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import { encodeArtifact } from "../../src/update/artifact.ts";
import { prepareUpdate, type UpdateInput } from "../../src/update/prepareUpdate.ts";
import { emptyResidual } from "../../src/update/residual.ts";
import { verifyArtifact } from "../../src/update/verifyArtifact.ts";
import { valuesOf } from "../support/valuesOf.ts";
import { CODECS, commitTo, contextFor, LAYOUT, PLACE, partsWith } from "./fixtures.ts";

const wide = { maxCoordinate: UPDATE_LIMIT - 1, maxNormSq: 10n ** 30n };
const flat = (size: number, fractionBits = 0): ReturnType<typeof modelLayout> =>
  modelLayout([{ name: "w", shape: [size], fractionBits, group: 0 }]);
const prepare = (changes: Partial<UpdateInput> & { delta: Float32Array }): ReturnType<typeof prepareUpdate> => {
  const layout = changes.layout ?? flat(changes.delta.length);
  return prepareUpdate({
    residual: emptyResidual(layout),
    master: new Float64Array(layout.size),
    codec: { name: "int16", blockSize: 64 },
    bounds: wide,
    ...changes,
    layout,
  });
};

describe("prepareUpdate", () => {
  it("top-k with error feedback, the example of three rounds: what is not sent waits, and nothing is lost", () => {
    const codec: CodecConfig = { name: "topk-int16", blockSize: 1, keep: 1 };
    let residual = emptyResidual(flat(3));
    const sent: number[][] = [];
    for (const delta of [
      [3, 2, 1],
      [1, 1, 1],
      [0, 0, 0],
    ]) {
      const step = prepare({ delta: Float32Array.from(delta), residual, codec });
      sent.push([...step.decoded]);
      residual = step.nextResidual;
    }
    assert.deepEqual(sent, [
      [3, 0, 0],
      [0, 3, 0],
      [0, 0, 2],
    ]);
    assert.deepEqual([...residual], [1, 0, 0]);
  });

  it("sent plus residual is exactly the sum of the deltas while nothing is clipped", () => {
    const withResidual: readonly CodecConfig[] = [
      ...CODECS,
      { name: "int16", blockSize: 6, rounding: "stochastic" },
      { name: "randk-int8", blockSize: 4, keep: 5, unbiased: false },
      { name: "qsgd", blockSize: 16, levels: 15, scaled: true },
      { name: "fp16" },
      { name: "low-rank", rank: 1 },
    ];
    const rounds = fc.array(
      fc.array(fc.integer({ min: -4_000_000, max: 4_000_000 }), { minLength: LAYOUT.size, maxLength: LAYOUT.size }),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(rounds, fc.constantFrom(...withResidual), (deltas, codec) => {
        let residual = emptyResidual(LAYOUT);
        const sent = new Float64Array(LAYOUT.size);
        const wanted = new Float64Array(LAYOUT.size);
        for (const [round, units] of deltas.entries()) {
          // Eighths of grid units: exact in float32 and beyond what the grid can say.
          const delta = Float32Array.from(units, (unit, j) => unit / 8 / 2 ** (j < 10 ? 18 : 16));
          const place = { run: 1n, round };
          const step = prepare({ delta, residual, codec, layout: LAYOUT, place, random: keyedRandom("ef", round) });
          residual = step.nextResidual;
          for (let j = 0; j < LAYOUT.size; j++) {
            sent[j] = (sent[j] as number) + (step.decoded[j] as number);
            wanted[j] = (wanted[j] as number) + (delta[j] as number) * 2 ** (j < 10 ? 18 : 16);
          }
        }
        assert.deepEqual(
          sent.map((value, j) => value + (residual[j] as number)),
          wanted,
        );
      }),
      { seed: 41, numRuns: 60 },
    );
  });

  describe("silence", () => {
    const silent = [LAYOUT.tensors[1] as (typeof LAYOUT.tensors)[number]];
    const dense: readonly CodecConfig[] = [
      { name: "int8", blockSize: 4 },
      { name: "int16", blockSize: 6, rounding: "stochastic" },
      { name: "topk-int8", blockSize: 4, keep: 12 },
      { name: "randk-int8", blockSize: 4, keep: 12, unbiased: true },
      { name: "randk-int16", blockSize: 4, keep: 12, unbiased: false },
      { name: "qsgd", blockSize: 16, levels: 15, scaled: true },
      { name: "fp16" },
      { name: "low-rank", rank: 1 },
    ];
    for (const codec of dense)
      it(`${codec.name} sends zeros where the update is silent, and what earlier ones left unsaid there waits as it was`, () => {
        const delta = Float32Array.from({ length: LAYOUT.size }, (_, j) => 0.1 + j / 7);
        const residual = Float64Array.from({ length: LAYOUT.size }, (_, j) => 900 + j / 3);
        const rest = { delta, residual, codec, layout: LAYOUT, place: { run: 1n, round: 3 } };
        const speaking = prepare({ ...rest, random: keyedRandom("silence") });
        const step = prepare({ ...rest, random: keyedRandom("silence"), silent });
        assert.ok(speaking.decoded.subarray(10).some((q) => q !== 0));
        assert.ok(step.decoded.subarray(0, 10).some((q) => q !== 0));
        assert.deepEqual([...step.decoded.subarray(10)], new Array(6).fill(0));
        assert.deepEqual(step.nextResidual.subarray(10), residual.subarray(10));
      });

    it("a tensor that goes first is all there is of the norm that is clipped", () => {
      const layout = modelLayout([
        { name: "a", shape: [1], fractionBits: 0, group: 0 },
        { name: "b", shape: [1], fractionBits: 0, group: 0 },
      ]);
      const delta = Float32Array.of(300, 400);
      const bounds = { ...wide, maxNormSq: 300n ** 2n };
      const { decoded, clipFactor } = prepare({ delta, layout, bounds, silent: [{ offset: 1, size: 1 }] });
      assert.deepEqual([[...decoded], clipFactor], [[300, 0], 1]);
    });
  });

  it("clips (3, 4) to norm 2.5: (1.5, 2) on the grid", () => {
    const layout = flat(2, 1);
    const step = prepare({ delta: Float32Array.of(3, 4), layout, bounds: { ...wide, maxNormSq: 25n } });
    assert.deepEqual([...step.decoded], [3, 4]);
    assert.equal(step.clipFactor, 0.5);
    assert.deepEqual([...step.nextResidual], [0, 0]);
  });

  it("rounds toward zero, so that the decoded norm keeps the bound where rounding to the nearest would break it", () => {
    // (10, 10) clipped to Σq² ≤ 150 is (8.66, 8.66); the nearest integers give 162.
    const step = prepare({ delta: Float32Array.of(10, 10), bounds: { ...wide, maxNormSq: 150n } });
    assert.deepEqual([...step.decoded], [8, 8]);
    assert.ok(Math.abs((step.nextResidual[0] as number) - 0.6602540378443) < 1e-9);
  });

  it("clips after adding the residual, which does not lift an update above the bound", () => {
    const step = prepare({
      delta: Float32Array.of(3, 0),
      residual: Float64Array.of(3, 0),
      bounds: { ...wide, maxNormSq: 16n },
    });
    assert.deepEqual([...step.decoded], [4, 0]);
    assert.deepEqual([...step.nextResidual], [0, 0]);
  });

  it("clips each coordinate to the run's bound, the update grid and the master range of the member's own model", () => {
    const master = Float64Array.of(0, 0, MASTER_LIMIT - 1, MASTER_MIN + 65_536 * 2 + 1);
    const delta = Float32Array.of(1e9, -1e9, 5, -5);
    const onGrid = prepare({ delta, master, codec: { name: "int16", blockSize: 1 } });
    const largest = Math.trunc((UPDATE_LIMIT - 1) / 513) * 513;
    // |q| < 2^24 takes the scale ⌈(2^24 − 1)/32767⌉ = 513 and loses the rest to the residual.
    assert.deepEqual([...onGrid.decoded], [largest, -largest, 0, -2]);
    assert.equal(onGrid.clippedCoordinates, 4);
    const bounded = prepare({ delta, master, bounds: { ...wide, maxCoordinate: 30 } });
    assert.deepEqual([...bounded.decoded], [30, -30, 0, -2]);
    // One unit more, or less, would put the member's own model exactly on the first value outside the range.
    const atTheEdge = Float64Array.of(MASTER_LIMIT - 2 * 65_536, MASTER_MIN + 2 * 65_536);
    assert.deepEqual([...prepare({ delta: Float32Array.of(9, -9), master: atTheEdge }).decoded], [1, -2]);
  });

  it("makes updates that verification accepts, whatever training did and however tight the bounds", async () => {
    const deltas = fc.array(
      fc.oneof(fc.float({ noNaN: true, min: -100, max: 100 }), fc.float({ noNaN: true, noDefaultInfinity: true })),
      { minLength: LAYOUT.size, maxLength: LAYOUT.size },
    );
    const bound = fc.record({
      maxCoordinate: fc.integer({ min: 1, max: UPDATE_LIMIT - 1 }),
      maxNormSq: fc.bigInt(1n, 1n << 60n),
    });
    const codecs: readonly CodecConfig[] = [
      ...CODECS,
      { name: "int8", blockSize: 6, rounding: "stochastic" },
      { name: "randk-int16", blockSize: 3, keep: 7, unbiased: false },
      { name: "randk-int8", blockSize: 4, keep: 5, unbiased: true },
      { name: "qsgd", blockSize: 7, levels: 3, scaled: false },
      { name: "qsgd", blockSize: 16, levels: 15, scaled: true },
      { name: "fp16" },
      { name: "low-rank", rank: 1 },
    ];
    const place = { run: PLACE.run, round: PLACE.round };
    const masters = fc.array(
      fc.oneof(
        fc.constantFrom(MASTER_MIN, MASTER_LIMIT - 1, 0),
        fc.integer({ min: MASTER_MIN, max: MASTER_LIMIT - 1 }),
      ),
      { minLength: LAYOUT.size, maxLength: LAYOUT.size },
    );
    await fc.assert(
      fc.asyncProperty(deltas, bound, masters, fc.constantFrom(...codecs), async (delta, bounds, master, codec) => {
        const context = { master: Float64Array.from(master), bounds, codec };
        const random = keyedRandom("prepare");
        const step = prepare({ delta: Float32Array.from(delta), layout: LAYOUT, place, random, ...context });
        assert.ok(squaredNorm(step.decoded, LAYOUT) <= bounds.maxNormSq);
        const bytes = encodeArtifact(partsWith({ codec: codec.name, payload: step.payload }));
        const { recipient: _, ...keyless } = contextFor(context);
        const result = await verifyArtifact(bytes, commitTo(bytes), keyless);
        assert.ok("kind" in result && result.kind === "update");
        assert.deepEqual(await valuesOf(result), step.decoded);
      }),
      { seed: 42, numRuns: 400 },
    );
  });

  it("refuses a diverged training and vectors of another size", () => {
    assert.throws(() => prepare({ delta: Float32Array.of(1, Number.NaN) }), /NaN for w\[1\]; lower the learning rate/);
    assert.throws(() => prepare({ delta: Float32Array.of(Number.POSITIVE_INFINITY) }), /Infinity/);
    assert.throws(() => prepare({ delta: Float32Array.of(1), layout: flat(2) }), /do not fit a layout of 2/);
  });
});
