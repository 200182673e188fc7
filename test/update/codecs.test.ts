// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { UPDATE_LIMIT } from "../../src/protocol/grid.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { type CodecConfig, codecSchema } from "../../src/protocol/recipe/codecConfig.ts";
import { encodeArtifact } from "../../src/update/artifact.ts";
import { blockForm, decodeBlocks, encodeBlocks } from "../../src/update/blocks.ts";
import { CODEC_IDS, formOf, isStochastic, keepsResidual } from "../../src/update/codecs.ts";
import { decodeHalves, encodeHalves } from "../../src/update/half.ts";
import { type Dice, qsgd, qsgdVariance, scaledQsgd, stochastic } from "../../src/update/levels.ts";
import { decodePayload, encodePayload, maxPayloadBytes } from "../../src/update/payload.ts";
import { roundMask } from "../../src/update/roundMask.ts";
import { verifyArtifact } from "../../src/update/verifyArtifact.ts";
import { compress } from "../../src/update/zstdFrame.ts";
import { valuesOf } from "../support/valuesOf.ts";
import { commitTo, contextFor, LAYOUT, PLACE, partsWith, VALUES } from "./fixtures.ts";

const anything = (): boolean => true;
const dice = (seed: string): Dice => ({ random: keyedRandom(seed), fits: anything });
/** Hands out the given numbers. */
const scripted = (...uniforms: number[]): Dice => ({
  random: { uniform: () => uniforms.shift() as number },
  fits: anything,
});
const NEW_CODECS: readonly CodecConfig[] = [
  { name: "int8", blockSize: 6, rounding: "stochastic" },
  { name: "randk-int16", blockSize: 3, keep: 7, unbiased: false },
  { name: "randk-int8", blockSize: 4, keep: 5, unbiased: true },
  { name: "qsgd", blockSize: 7, levels: 15, scaled: false },
  { name: "qsgd", blockSize: 16, levels: 4, scaled: true },
  { name: "fp16" },
  { name: "low-rank", rank: 1 },
];
const place = { run: PLACE.run, round: PLACE.round };
const titleOf = (codec: CodecConfig): string => JSON.stringify(codec);

/** One block for the fixtures' layout: a scale, one level, zeros. */
const blockOf = (scale: number, level: number): Uint8Array =>
  Uint8Array.of(0, 0, 0, scale, level, ...new Uint8Array(LAYOUT.size - 1));

/** Of rank 1 for the fixtures' layout: the shift, the first of five v and of two u, and the scale of six zeros. */
const productOf = ([shift = 0]: number[], v: number[] = [], u: number[] = [], scale = 1): Uint8Array => {
  const bytes = new Uint8Array(1 + 10 + 4 + 4 + 12);
  bytes[0] = shift;
  bytes.set(v, 1);
  bytes.set(u, 11);
  bytes[18] = scale;
  return bytes;
};

/** Means of a codec's decoded values over draws, with their standard errors. */
function meanOf(
  draws: number,
  decodedOf: (draw: number) => ArrayLike<number>,
  size: number,
): { mean: number[]; error: number[] } {
  const sum = new Float64Array(size);
  const squares = new Float64Array(size);
  for (let draw = 0; draw < draws; draw++) {
    const decoded = decodedOf(draw);
    for (let j = 0; j < size; j++) {
      const value = decoded[j] as number;
      sum[j] = (sum[j] as number) + value;
      squares[j] = (squares[j] as number) + value * value;
    }
  }
  const mean = [...sum].map((total) => total / draws);
  const error = mean.map((m, j) => Math.sqrt(Math.max(0, (squares[j] as number) / draws - m * m) / draws));
  return { mean, error };
}

function assertUnbiased(values: ArrayLike<number>, { mean, error }: { mean: number[]; error: number[] }): void {
  for (const [j, m] of mean.entries()) {
    const off = Math.abs(m - (values[j] as number));
    assert.ok(
      off <= 4 * (error[j] as number) + 1e-9,
      `coordinate ${j}: ${m} for ${values[j]}, 4 SE = ${4 * (error[j] as number)}`,
    );
  }
}

describe("every codec", () => {
  it("has a number of its own, from 1", () => {
    const ids = Object.values(CODEC_IDS);
    assert.deepEqual(
      [...ids].sort((a, b) => a - b),
      Array.from(ids.keys(), (i) => i + 1),
    );
  });

  for (const codec of NEW_CODECS) {
    it(`${titleOf(codec)}: read in a stream, whatever the chunks, as it is decoded whole; within its length`, async () => {
      assert.deepEqual(codecSchema.parse(codec), codec);
      const payload = encodePayload(VALUES, codec, { place, dice: dice("stream"), layout: LAYOUT });
      assert.ok(payload.length <= maxPayloadBytes(codec, LAYOUT));
      const { values } = decodePayload(payload, codec, LAYOUT, place);
      assert.ok(values.some((value) => value !== 0));
      assert.ok(values.every((value) => !Object.is(value, -0)));
      const bytes = encodeArtifact(partsWith({ codec: codec.name, payload }));
      const verdict = await verifyArtifact(bytes, commitTo(bytes), contextFor({ codec }));
      assert.ok("kind" in verdict && verdict.kind === "update", "refused");
      for (const sizes of [[16], [1], [3, 1, 5], [7, 2]]) assert.deepEqual(await valuesOf(verdict, sizes), values);
    });

    it(`${titleOf(codec)}: damaged contents are refused or decode to something else, and nothing throws`, async () => {
      const context = contextFor({ codec });
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 60 }), async (content) => {
          const bytes = encodeArtifact(partsWith({ codec: codec.name, payload: compress(content) }));
          const verdict = await verifyArtifact(bytes, commitTo(bytes), context);
          if ("code" in verdict)
            assert.match(verdict.name, /^(MALFORMED|OFF_GRID|GRID_OVERFLOW|COORDINATE_BOUND|NORM_BOUND)$/);
        }),
        { seed: 51, numRuns: 60 },
      );
    });
  }

  const damages: readonly (readonly [string, CodecConfig, Uint8Array, RegExp])[] = [
    ["qsgd: a level above s", { name: "qsgd", blockSize: 16, levels: 4, scaled: true }, blockOf(7, 5), /stored as 5/],
    [
      "qsgd: a level below −s",
      { name: "qsgd", blockSize: 16, levels: 4, scaled: true },
      blockOf(7, 251),
      /stored as -5/,
    ],
    [
      "qsgd: a zero block with a scale",
      { name: "qsgd", blockSize: 16, levels: 4, scaled: true },
      blockOf(7, 0),
      /only zeros/,
    ],
    [
      "rand-k: a value too many",
      { name: "randk-int8", blockSize: 16, keep: 15, unbiased: false },
      blockOf(7, 1),
      /takes 19/,
    ],
    [
      "rand-k: a scale of 0",
      { name: "randk-int8", blockSize: 16, keep: 16, unbiased: false },
      blockOf(0, 1),
      /scale 0/,
    ],
    ["fp16: negative zero", { name: "fp16" }, Uint8Array.of(0x80, ...new Uint8Array(31)), /half 0x8000/],
    ["fp16: 2^24", { name: "fp16" }, Uint8Array.of(0x3c, ...new Uint8Array(31)), /half 0x3c00/],
    ["low-rank: a shift above 40", { name: "low-rank", rank: 1 }, productOf([41]), /shift 41/],
    ["low-rank: a factor of −2^15", { name: "low-rank", rank: 1 }, productOf([3], [1], [0x80, 0]), /-32768/],
    ["low-rank: one factor is 0", { name: "low-rank", rank: 1 }, productOf([3], [2]), /both factors are 0/],
    ["low-rank: a shift of nothing", { name: "low-rank", rank: 1 }, productOf([3]), /both factors are 0/],
    ["low-rank: a zero block with a scale", { name: "low-rank", rank: 1 }, productOf([0], [], [], 7), /only zeros/],
    ["low-rank: a byte too few", { name: "low-rank", rank: 1 }, productOf([0]).subarray(1), /takes 31/],
    ["fp16: a byte too few", { name: "fp16" }, new Uint8Array(31), /takes 32/],
  ];
  for (const [damage, codec, content, reason] of damages)
    it(`MALFORMED: ${damage}`, async () => {
      const bytes = encodeArtifact(partsWith({ codec: codec.name, payload: compress(content) }));
      const verdict = await verifyArtifact(bytes, commitTo(bytes), contextFor({ codec }));
      assert.ok("code" in verdict && verdict.name === "MALFORMED", "code" in verdict ? verdict.name : "accepted");
      assert.match(String(verdict.values.reason), reason);
    });

  it("that draws asks for a stream, and one with a mask for its place", () => {
    const values = new Int32Array(16).fill(3);
    for (const codec of NEW_CODECS.filter(isStochastic))
      assert.throws(() => encodePayload(values, codec, { place }), /needs a random stream/);
    const masked = NEW_CODECS[1] as CodecConfig;
    assert.throws(() => encodePayload(values, masked), /run and round/);
    assert.throws(() => decodePayload(encodePayload(values, masked, { place }), masked, 16), /run and round/);
  });
});

describe("qsgd", () => {
  const form = (levels: number, count: number): ReturnType<typeof blockForm> => blockForm(1, count, levels);
  it("(3, −4, 0) with s = 4 and the uniforms .5 and .1: (2.5, −5, 0)", () => {
    // On quarters the norm is 20, so a unit is 5 quarters and a = (2.4, 3.2, 0): .5 does not reach .4, .1 is below .2.
    const bytes = encodeBlocks(Int32Array.of(12, -16, 0), form(4, 3), qsgd(scripted(0.5, 0.1)));
    const codec: CodecConfig = { name: "qsgd", levels: 4, blockSize: 3, scaled: false };
    assert.deepEqual([...bytes], [0, 0, 0, 5, 2, 0xfc, 0]);
    const { values } = decodePayload(compress(bytes), codec, 3);
    assert.deepEqual(
      [...values].map((q) => q / 4),
      [2.5, -5, 0],
    );
  });

  it("is right on average, and its error is what the theory allows", () => {
    const random = keyedRandom("qsgd values");
    const values = Float64Array.from({ length: 64 }, () => random.normal() * 3_000);
    const shape = form(4, 64);
    const normSq = values.reduce((sum, v) => sum + v * v, 0);
    let errorSq = 0;
    const draws = 3_000;
    const stats = meanOf(
      draws,
      (draw) => {
        const { values: decoded } = decodeBlocks(encodeBlocks(values, shape, qsgd(dice(`draw ${draw}`))), 64, shape);
        for (const [j, q] of decoded.entries()) errorSq += (q - (values[j] as number)) ** 2;
        return decoded;
      },
      64,
    );
    assertUnbiased(values, stats);
    assert.ok(errorSq / draws <= qsgdVariance(64, 4) * normSq * 1.05);
  });

  it("scaled by 1/(1 + ω) it is a contraction in expectation, also for vectors of few units", () => {
    const vectors = fc.tuple(
      fc.array(fc.integer({ min: -100_000, max: 100_000 }), { minLength: 1, maxLength: 40 }),
      fc.constantFrom(1, 30, 10_000),
      fc.constantFrom(1, 4, 15),
    );
    const always = (uniform: number): Dice => ({ random: { uniform: () => uniform }, fits: anything });
    fc.assert(
      fc.property(vectors, ([list, divisor, levels]) => {
        const values = list.map((v) => Math.trunc(v / divisor));
        const count = values.length;
        const shrink = 1 + qsgdVariance(count, levels);
        const normSq = values.reduce((sum, v) => sum + v * v, 0);
        const [upper, lower] = [0, 1 - 2 ** -53].map((uniform) => {
          const { scale, levelOf } = scaledQsgd(always(uniform))(values, 0, count, levels);
          return values.map((v, i) => scale * levelOf(v, i));
        }) as [number[], number[]];
        let errorSq = 0;
        for (const [i, v] of values.entries()) {
          const [high, low] = [upper[i] as number, lower[i] as number];
          // Between two levels the odds are those that make x/(1+ω) right on average.
          const odds = high === low ? 0 : (v / shrink - low) / (high - low);
          assert.ok(odds >= -1e-9 && odds <= 1 + 1e-9, String(odds));
          errorSq += (1 - odds) * (v - low) ** 2 + odds * (v - high) ** 2;
        }
        if (normSq === 0) assert.equal(errorSq, 0);
        else assert.ok(errorSq < normSq, `${errorSq} of ${normSq}`);
      }),
      { seed: 52, numRuns: 300 },
    );
  });

  it("a block of zeros is zero, and a level above s is refused", () => {
    const codec: CodecConfig = { name: "qsgd", levels: 4, blockSize: 3, scaled: false };
    assert.deepEqual(
      [...decodePayload(encodePayload(new Int32Array(3), codec, { dice: dice("z") }), codec, 3).values],
      [0, 0, 0],
    );
    const content = Uint8Array.of(0, 0, 0, 9, 5, 0, 0);
    assert.throws(() => decodePayload(compress(content), codec, 3), /stored as 5/);
    assert.deepEqual([...scaledQsgd(dice("z"))([0, 0], 0, 2, 4).levelOf(0, 0).toString()], ["0"]);
  });

  it("takes the lower level where the upper one would leave a bound", () => {
    const tight: Dice = { random: { uniform: () => 0 }, fits: (_, value) => Math.abs(value) <= 16 };
    const bytes = encodeBlocks(Int32Array.of(12, -16, 0), form(4, 3), qsgd(tight));
    assert.deepEqual([...bytes.subarray(4)], [3, 0xfd, 0]);
  });
});

describe("stochastic rounding", () => {
  it("int8 is right on average where rounding toward zero is not", () => {
    const values = Float64Array.of(1_270, 3.7, -8.2, 0, 5, -1_269);
    const shape = blockForm(1, 6);
    assertUnbiased(
      values,
      meanOf(
        4_000,
        (draw) => decodeBlocks(encodeBlocks(values, shape, stochastic(dice(`r${draw}`))), 6, shape).values,
        6,
      ),
    );
    assert.deepEqual([...decodeBlocks(encodeBlocks(values, shape), 6, shape).values], [1_270, 0, 0, 0, 0, -1_260]);
  });
  it("never goes above the largest level", () => {
    const { scale, levelOf } = stochastic({ random: { uniform: () => 0 }, fits: anything })([12_700, 1], 0, 2, 127);
    assert.deepEqual([scale, levelOf(12_700, 0), levelOf(1, 1)], [100, 127, 1]);
  });
});

describe("rand-k", () => {
  it("the mask is the round's: the same for all members, another in another round, run, or with a seed", () => {
    const spec = { run: 3n, round: 7, keep: 8, size: 100 };
    const mask = [...roundMask(spec)];
    assert.equal(new Set(mask).size, 8);
    assert.deepEqual(
      mask,
      [...mask].sort((a, b) => a - b),
    );
    for (const other of [{ round: 8 }, { run: 4n }, { seed: "another" }])
      assert.notDeepEqual([...roundMask({ ...spec, ...other })], mask);
    assert.deepEqual([...roundMask({ ...spec })], mask);
    assert.deepEqual([...roundMask({ ...spec, keep: 100 })], [...Array(100).keys()]);
  });

  it("pinned, as computed in Python from the definition of streams and Floyd's method", () =>
    assert.deepEqual([...roundMask({ run: 1n, round: 1, keep: 5, size: 1_000 })], [290, 336, 512, 870, 972]));

  it("every coordinate is as likely as any other", () => {
    const counts = new Float64Array(20);
    const rounds = 4_000;
    for (let round = 0; round < rounds; round++)
      for (const j of roundMask({ run: 1n, round, keep: 6, size: 20 })) counts[j] = (counts[j] as number) + 1;
    const expected = rounds * 0.3;
    for (const count of counts) assert.ok(Math.abs(count - expected) < 4 * Math.sqrt(expected * 0.7), String(count));
  });

  it("a payload has the values and no indices", () => {
    const codec: CodecConfig = { name: "randk-int16", blockSize: 2, keep: 4, unbiased: false };
    const values = Int32Array.from({ length: 20 }, (_, j) => j + 1);
    const { values: decoded, support } = decodePayload(encodePayload(values, codec, { place }), codec, 20, place);
    const mask = roundMask({ ...place, keep: 4, size: 20 });
    assert.deepEqual(support, mask);
    assert.deepEqual(
      [...decoded],
      [...values].map((v, j) => (mask.includes(j) ? v : 0)),
    );
    assert.deepEqual(formOf(codec).support, { kind: "mask", keep: 4 });
    assert.ok(keepsResidual(codec) && !keepsResidual({ ...codec, unbiased: true }));
  });
});

describe("fp16", () => {
  it("by hand: 11 significant bits, the rest cut off", () => {
    const values = Int32Array.of(0, 1, -1, 1_023, 1_024, 2_047, 2_049, 4_099, -(UPDATE_LIMIT - 1));
    const bytes = encodeHalves(values);
    assert.deepEqual([...bytes.subarray(8, 10)], [0x04, 0x00]);
    const decoded = new Int32Array(9);
    decodeHalves(bytes, decoded);
    assert.deepEqual([...decoded], [0, 1, -1, 1_023, 1_024, 2_047, 2_048, 4_096, -2_047 * 8_192]);
  });

  it("are the halfs that any other reader reads, times 2^24", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1 - UPDATE_LIMIT, max: UPDATE_LIMIT - 1 }), (value) => {
        const bytes = encodeHalves([value]);
        const decoded = new Int32Array(1);
        decodeHalves(bytes, decoded);
        const q = decoded[0] as number;
        const half = new DataView(bytes.buffer) as DataView & { getFloat16(at: number): number };
        assert.equal(half.getFloat16(0) * 2 ** 24, q);
        assert.ok(Math.abs(q) <= Math.abs(value) && Math.abs(value - q) <= Math.abs(value) / 1_024);
        assert.deepEqual(encodeHalves(decoded), bytes);
      }),
      { seed: 53, numRuns: 500 },
    );
  });

  it("negative zero, infinity, NaN and 2^24 are refused, and a byte too few", () => {
    for (const bits of [0x8000, 0x7c00, 0x7e00, 0x3c00, 0xbc00])
      assert.throws(() => decodeHalves(Uint8Array.of(bits >> 8, bits & 255), new Int32Array(1)), /is not used/);
    assert.throws(() => decodeHalves(new Uint8Array(3), new Int32Array(2)), /take 4 bytes/);
  });
});
