// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { toHex } from "../../src/protocol/bytes.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import { encodeArtifact } from "../../src/update/artifact.ts";
import { compressDownlink } from "../../src/update/downlink.ts";
import { encodeLowRank, isProduct, LowRankDecoder, lowRankLength } from "../../src/update/lowRank.ts";
import { decodePayload, encodePayload } from "../../src/update/payload.ts";
import { prepareUpdate } from "../../src/update/prepareUpdate.ts";
import { emptyResidual } from "../../src/update/residual.ts";
import { verifyArtifact } from "../../src/update/verifyArtifact.ts";
import { compress } from "../../src/update/zstdFrame.ts";
import { valuesOf } from "../support/valuesOf.ts";
import { commitTo, contextFor, partsWith } from "./fixtures.ts";

const tensor = (name: string, ...shape: number[]) => ({ name, shape, fractionBits: 18, group: 0 });
const codecOf = (rank: number): CodecConfig => ({ name: "low-rank", rank });

/** What an update of LoRA is: B·A of that rank, in grid units, `size` at most a few times. */
function product(rows: number, columns: number, rank: number, size: number, name = "product"): Float64Array {
  const random = keyedRandom(name, rows, columns, rank);
  const [b, a] = [rows, columns].map((count) => Float64Array.from({ length: count * rank }, () => random.normal()));
  return Float64Array.from({ length: rows * columns }, (_, index) => {
    const [i, j] = [Math.floor(index / columns), index % columns];
    let sum = 0;
    for (let k = 0; k < rank; k++)
      sum += ((b as Float64Array)[i * rank + k] as number) * ((a as Float64Array)[j * rank + k] as number);
    return Math.trunc(size * sum);
  });
}

/** A factor's int16, big-endian. */
const int16s = (values: readonly number[]): number[] => values.flatMap((value) => [(value >> 8) & 255, value & 255]);

describe("which tensors are products", () => {
  it("those whose factors are fewer values, a convolution as its first extent against the others", () => {
    assert.ok(isProduct([10, 10], 4) && !isProduct([10, 10], 5));
    assert.ok(!isProduct([1_000], 1) && !isProduct([1, 1_000], 1) && !isProduct([], 1));
    assert.ok(isProduct([16, 6, 5, 5], 4));
    assert.equal(lowRankLength(modelLayout([tensor("c", 16, 6, 5, 5)]), 4), 1 + 2 * 4 * (16 + 150));
  });
  it("not those whose factor a reader would have to hold beyond 65 536 values", () => {
    assert.ok(isProduct([100, 65_536], 1) && !isProduct([100, 65_537], 1) && !isProduct([100, 32_769], 2));
    assert.ok(isProduct([1_000_000, 100], 20));
  });
});

describe("low-rank payload", () => {
  it("by hand: (3·5 + 1)/2 = 8, −7.5 is −8 and 7.5 is 8, away from zero", () => {
    const layout = modelLayout([tensor("w", 3, 2)]);
    // Rank 1 is 5 values for 6. v = (5, 1), u = (3, −3, 0), s = 1: 7.5, 1.5; −7.5, −1.5; 0, 0.
    const content = Uint8Array.from([1, ...int16s([5, 1, 3, -3, 0])]);
    assert.deepEqual([...decodePayload(compress(content), codecOf(1), layout).values], [8, 2, -8, -2, 0, 0]);
  });

  it("is the sum of products of integers over 2^s, as BigInt has it", () => {
    const layout = modelLayout([tensor("w", 7, 6)]);
    const level = fc.integer({ min: -32_767, max: 32_767 });
    const factor = (count: number) => fc.array(level, { minLength: count, maxLength: count });
    fc.assert(
      fc.property(factor(12), factor(14), fc.integer({ min: 0, max: 40 }), (v, u, shift) => {
        v[0] = 32_767;
        u[0] = -32_767;
        const content = Uint8Array.from([shift, ...int16s(v), ...int16s(u)]);
        const { values, offGrid } = decodePayload(compress(content), codecOf(2), layout);
        const expected = Array.from({ length: 42 }, (_, index) => {
          const [i, j] = [Math.floor(index / 6), index % 6];
          const term = (k: number): bigint => BigInt((u[2 * i + k] as number) * (v[6 * k + j] as number));
          const sum = term(0) + term(1);
          const magnitude = (2n * (sum < 0n ? -sum : sum) + (1n << BigInt(shift))) >> BigInt(shift + 1);
          return Number(sum < 0n ? -magnitude : magnitude);
        });
        const first = expected.findIndex((value) => Math.abs(value) >= 2 ** 24);
        assert.deepEqual(offGrid, first === -1 ? undefined : { index: first, value: expected[first] });
        assert.deepEqual(
          [...values],
          expected.map((value) => (Math.abs(value) < 2 ** 24 ? value : 0)),
        );
      }),
      { seed: 61, numRuns: 200 },
    );
  });

  it("of the update's own rank loses rounding only, whatever its size", () => {
    const layout = modelLayout([tensor("w", 60, 40), tensor("b", 60), tensor("head", 8, 30)]);
    for (const size of [2, 50, 3_000, 100_000]) {
      const values = Float64Array.of(
        ...product(60, 40, 3, size),
        ...Array.from({ length: 60 }, (_, i) => i - 30),
        ...product(8, 30, 3, size),
      );
      const { values: decoded } = decodePayload(encodePayload(values, codecOf(3), { layout }), codecOf(3), layout);
      const most = values.reduce((m, q) => Math.max(m, Math.abs(q)), 0);
      // An error of ½ in each factor's levels, of which the largest has 2^14 or more, in three components; and what truncation took from the product.
      const bound = 1.5 + (6 * most) / 2 ** 14;
      for (const [j, q] of decoded.entries())
        assert.ok(Math.abs(q - (values[j] as number)) <= bound, `${q} ${values[j]}`);
      assert.deepEqual(
        [...decoded.subarray(2_400, 2_460)],
        Array.from({ length: 60 }, (_, i) => i - 30),
      );
    }
  });

  it("of rank 4 takes 6 % of float32's bytes for a network of 64-256-10", () => {
    const layout = modelLayout([tensor("1.w", 256, 64), tensor("1.b", 256), tensor("2.w", 10, 256), tensor("2.b", 10)]);
    const random = keyedRandom("any");
    const values = Int32Array.from({ length: layout.size }, () => Math.trunc(3_000 * random.normal()));
    const bytes = encodePayload(values, codecOf(4), { layout }).length;
    assert.ok(bytes < 0.075 * 4 * layout.size && bytes > 0.05 * 4 * layout.size, String(bytes));
  });

  it("with error feedback says everything in time: what waits stays bounded", () => {
    const layout = modelLayout([tensor("w", 20, 15)]);
    const delta = Float32Array.from(product(20, 15, 15, 40, "constant"), (q) => q / 2 ** 18);
    let residual = emptyResidual(layout);
    const lengths: number[] = [];
    for (let round = 0; round < 40; round++) {
      const step = prepareUpdate({
        delta,
        residual,
        layout,
        codec: codecOf(3),
        master: new Float64Array(layout.size),
        bounds: { maxCoordinate: 1_000_000, maxNormSq: 1n << 60n },
      });
      residual = step.nextResidual;
      lengths.push(Math.sqrt(residual.reduce((sum, e) => sum + e * e, 0)));
    }
    const own = Math.sqrt(delta.reduce((sum, x) => sum + (x * 2 ** 18) ** 2, 0));
    assert.ok(
      Math.max(...lengths.slice(20)) < 1.1 * Math.max(...lengths.slice(0, 20)) && (lengths[39] as number) < 5 * own,
    );
  });

  it("is read in parts of any sizes as it is decoded whole, in bounded memory", async () => {
    const layout = modelLayout([
      tensor("w", 3_000, 40),
      tensor("b", 70_000),
      tensor("k", 4, 3, 3, 3),
      tensor("last", 3),
    ]);
    const random = keyedRandom("parts");
    const codec = codecOf(2);
    const values = Float64Array.from({ length: layout.size }, () => Math.trunc(50 * random.normal()));
    values.set(product(3_000, 40, 2, 100));
    const decoder = new LowRankDecoder(layout, 2);
    const content = encodeLowRank(values, layout, 2);
    let parts = 0;
    for (let at = 0; at < content.length; parts++) {
      const wants = decoder.wants;
      assert.ok(wants > 0 && wants <= 1 + 2 * 65_536 + 4 * 64);
      const part = decoder.take(content.subarray(at, at + wants));
      assert.ok(part === undefined || part.values.length <= 65_536);
      at += wants;
    }
    assert.ok(decoder.wants === 0 && parts > 5);
    const payload = encodePayload(values, codec, { layout });
    const bytes = encodeArtifact(partsWith({ codec: codec.name, payload, layoutDigest: toHex(layout.digest) }));
    const context = contextFor({ codec, layout, master: new Float64Array(layout.size) });
    const verdict = await verifyArtifact(bytes, commitTo(bytes), context);
    assert.ok("kind" in verdict && verdict.kind === "update", "refused");
    const whole = decodePayload(payload, codec, layout).values;
    for (const sizes of [[layout.size], [65_537, 7], [40_000, 1, 25_000]])
      assert.deepEqual(await valuesOf(verdict, sizes), whole);
  });

  it("OFF_GRID, COORDINATE_BOUND: a product too large, by its first coordinate", async () => {
    const layout = modelLayout([tensor("w", 3, 2)]);
    const judged = async (content: readonly number[], maxCoordinate = 100_000) => {
      const bytes = encodeArtifact(
        partsWith({
          codec: "low-rank",
          payload: compress(Uint8Array.from(content)),
          layoutDigest: toHex(layout.digest),
        }),
      );
      const bounds = { maxCoordinate, maxNormSq: 10n ** 18n };
      const verdict = await verifyArtifact(
        bytes,
        commitTo(bytes),
        contextFor({ codec: codecOf(1), layout, bounds, master: new Float64Array(6) }),
      );
      return "code" in verdict ? [verdict.name, verdict.values.coordinate, verdict.values.value] : "accepted";
    };
    assert.deepEqual(await judged([5, ...int16s([1, -32_767, 0, 0, 32_767])]), ["OFF_GRID", 5, -33_552_384]);
    assert.deepEqual(await judged([7, ...int16s([1, -32_767, 0, 0, 32_767])]), ["COORDINATE_BOUND", 5, -8_388_096]);
    assert.deepEqual(await judged([7, ...int16s([1, -32_767, 0, 0, 32_767])], 8_388_096), "accepted");
  });

  it("never leaves a bound that the update kept, although the best product would: half of it is sent, the rest waits", () => {
    const layout = modelLayout([tensor("w", 4, 4)]);
    // The best product of rank 1 of ±1 000 off the diagonal and 999 on it is larger than 1 000 somewhere.
    const delta = Float32Array.from([0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1], (x) => (1_000 * x) / 2 ** 18);
    const step = prepareUpdate({
      delta,
      residual: emptyResidual(layout),
      layout,
      codec: codecOf(1),
      master: new Float64Array(16),
      bounds: { maxCoordinate: 1_000, maxNormSq: 1n << 60n },
    });
    assert.ok(step.decoded.some((q) => q !== 0) && step.decoded.every((q) => Math.abs(q) <= 1_000));
    for (const [j, e] of step.nextResidual.entries())
      assert.equal(e + (step.decoded[j] as number), Math.fround(delta[j] as number) * 2 ** 18);
    assert.ok(step.clipFactor === 1 && step.clippedCoordinates === 0);
  });

  it("what no encoder writes is refused by name: a shift that leaves nothing, the one int16 without a negative, a product of 0 that says more", () => {
    const layout = modelLayout([tensor("w", 4, 3)]);
    const read = (shift: number, v: readonly number[], u: readonly number[]) =>
      decodePayload(compress(Uint8Array.from([shift, ...int16s(v), ...int16s(u)])), codecOf(1), layout);
    read(40, [1, 2, 3], [1, 2, 3, 4]);
    assert.throws(() => read(41, [1, 2, 3], [1, 2, 3, 4]), /w has shift 41; at most 40/);
    assert.throws(() => read(5, [1, -32_768, 3], [1, 2, 3, 4]), /factor of w has -32768/);
    assert.throws(() => read(5, [1, 2, 3], [1, 2, -32_768, 4]), /factor of w has -32768/);
    read(0, [0, 0, 0], [0, 0, 0, 0]);
    assert.throws(() => read(1, [0, 0, 0], [0, 0, 0, 0]), /w is 0; then both factors are 0/);
    assert.throws(() => read(0, [1, 2, 3], [0, 0, 0, 0]), /w is 0; then both factors are 0/);
  });

  it("whatever the content says, it is refused or read the same way whole and in a stream", async () => {
    const layout = modelLayout([tensor("w", 4, 3), tensor("b", 3)]);
    const length = lowRankLength(layout, 1);
    const context = contextFor({ codec: codecOf(1), layout, master: new Float64Array(15) });
    const small = fc.constantFrom(0, 1, 2, 255, 128);
    const contents = fc.array(fc.oneof(fc.integer({ min: 0, max: 255 }), small), {
      minLength: length,
      maxLength: length,
    });
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(contents, fc.integer({ min: 0, max: 41 }), async (content, shift) => {
        content[0] = shift;
        content.splice(15, 4, 0, 0, 0, 1);
        const payload = compress(Uint8Array.from(content));
        const bytes = encodeArtifact(partsWith({ codec: "low-rank", payload, layoutDigest: toHex(layout.digest) }));
        const verdict = await verifyArtifact(bytes, commitTo(bytes), context);
        if ("code" in verdict) {
          assert.match(verdict.name, /^(MALFORMED|OFF_GRID|COORDINATE_BOUND|NORM_BOUND)$/);
          if (verdict.name === "MALFORMED") assert.throws(() => decodePayload(payload, codecOf(1), layout));
          return;
        }
        assert.ok(verdict.kind === "update");
        accepted++;
        assert.deepEqual(await valuesOf(verdict, [4, 1]), decodePayload(payload, codecOf(1), layout).values);
      }),
      { seed: 62, numRuns: 200 },
    );
    assert.ok(accepted > 20, String(accepted));
  });

  it("WRONG_DIGEST: any other bit than those committed; under a commit of its own it is refused or read, and nothing throws", async () => {
    const layout = modelLayout([tensor("w", 4, 3), tensor("b", 3)]);
    const context = contextFor({ codec: codecOf(1), layout, master: new Float64Array(15) });
    const payload = encodePayload(product(5, 3, 1, 400), codecOf(1), { layout });
    const honest = encodeArtifact(partsWith({ codec: "low-rank", payload, layoutDigest: toHex(layout.digest) }));
    const from = honest.length - payload.length;
    for (let at = from; at < honest.length; at++)
      for (const bit of [1, 128]) {
        const bytes = Uint8Array.from(honest);
        bytes[at] = (bytes[at] as number) ^ bit;
        const found = await verifyArtifact(bytes, commitTo(honest), context);
        assert.ok("code" in found && found.name === "WRONG_DIGEST");
        const own = await verifyArtifact(bytes, commitTo(bytes), context);
        if ("code" in own) assert.match(own.name, /^(MALFORMED|OFF_GRID|COORDINATE_BOUND|NORM_BOUND)$/);
      }
  });

  it("a downlink of products stays on the grid, and what it leaves out waits", () => {
    const layout = modelLayout([tensor("w", 4, 4)]);
    const largest = 2 ** 24 - 1;
    const movement = Float64Array.from({ length: 16 }, (_, i) => (i % 5 === 0 && i < 15 ? 0 : largest) * 65_536);
    const { moved, residual } = compressDownlink({
      movement,
      residual: new Float64Array(16),
      layout,
      codec: codecOf(1),
    });
    assert.ok(moved.some((m) => m !== 0) && moved.every((m) => Math.abs(m) < 2 ** 40));
    for (const [j, m] of moved.entries()) assert.equal(m + (residual[j] as number), movement[j]);
  });

  it("asks for the layout", () => {
    assert.throws(() => encodePayload(new Int32Array(6), codecOf(1)), { code: "BAD_CONFIG" });
    assert.throws(() => decodePayload(compress(new Uint8Array(11)), codecOf(1), 6), { code: "BAD_CONFIG" });
  });
});
