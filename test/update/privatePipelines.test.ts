// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { noiseStage } from "../../src/privacy/noiseStage.ts";
import { squaredNorm } from "../../src/protocol/exactNorm.ts";
import { UPDATE_LIMIT } from "../../src/protocol/grid.ts";
import type { NoiseStage } from "../../src/protocol/noiseStage.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import { type PrivacyConfig, privacySchema } from "../../src/protocol/recipe/privacyConfig.ts";
import type { PreparedUpdate } from "../../src/update/preparedUpdate.ts";
import { prepareUpdate } from "../../src/update/prepareUpdate.ts";
import { roundMask } from "../../src/update/roundMask.ts";
import { CODECS, LAYOUT } from "./fixtures.ts";

const place = { run: 3n, round: 7 };
const wide = { maxCoordinate: UPDATE_LIMIT - 1, maxNormSq: 10n ** 30n };
const common = { clipNorm: 0.5, noiseMultiplier: 2, budget: { epsilon: 8, delta: 1e-5 } };
const loss = { clip: 10, noiseMultiplier: 1 };
const CONFIGS = {
  P2: { mode: "local", ...common, loss, pipeline: { name: "P2", errorFeedback: true } },
  paper: { mode: "local", ...common, loss, pipeline: { name: "paper", errorFeedback: true, keep: 4 } },
  central: { mode: "central", ...common, errorFeedback: true },
  distributed: { mode: "distributed", ...common, errorFeedback: true, colluders: 0 },
} as const satisfies Record<string, PrivacyConfig>;

function stageOf(
  config: (typeof CONFIGS)[keyof typeof CONFIGS],
  changes: { secret?: Uint8Array; round?: number } = {},
): NoiseStage {
  return noiseStage(config, { ...place, layout: LAYOUT, cohort: 4, secret: new Uint8Array(32).fill(1), ...changes });
}

function prepare(
  noise: NoiseStage | undefined,
  codec: CodecConfig,
  delta: Float32Array = DELTA,
  residual = new Float64Array(LAYOUT.size),
): PreparedUpdate {
  const master = new Float64Array(LAYOUT.size);
  return prepareUpdate({
    delta,
    residual,
    master,
    layout: LAYOUT,
    codec,
    bounds: wide,
    place,
    random: keyedRandom("p"),
    noise,
  });
}

const DELTA = Float32Array.from({ length: LAYOUT.size }, (_, j) => (j - 8) / 16);
const int16: CodecConfig = { name: "int16", blockSize: 16 };
const randk: CodecConfig = { name: "randk-int16", blockSize: 16, keep: 6, unbiased: false };
const topk: CodecConfig = { name: "topk-int16", blockSize: 16, keep: 5 };
const unitsOf = (j: number): number => (j < 10 ? 2 ** 18 : 2 ** 16);

describe("private pipelines", () => {
  for (const [name, config] of Object.entries(CONFIGS))
    it(`${name}: a valid configuration`, () => assert.deepEqual(privacySchema.parse(config), config));

  it("central: clipped to C exactly, on the mask, without noise; the residual is what is left", () => {
    const { decoded, nextResidual, clipFactor } = prepare(stageOf(CONFIGS.central), randk);
    const mask = new Set(roundMask({ ...place, keep: 6, size: LAYOUT.size }));
    assert.ok(clipFactor < 1);
    assert.ok(squaredNorm(decoded, LAYOUT) <= BigInt(2 ** 17) ** 2n);
    for (const [j, q] of decoded.entries()) {
      const clipped = (DELTA[j] as number) * unitsOf(j) * clipFactor;
      assert.ok(mask.has(j) ? Math.abs(q - clipped) <= 6 : q === 0);
      assert.ok(Math.abs(q + (nextResidual[j] as number) - clipped) < 1e-6);
    }
  });

  it("distributed: the residual is the central one, and noise is on the mask and nowhere else", () => {
    const clean = prepare(stageOf(CONFIGS.central), randk);
    const noisy = prepare(stageOf(CONFIGS.distributed), randk);
    assert.deepEqual(noisy.nextResidual, clean.nextResidual);
    const mask = new Set(roundMask({ ...place, keep: 6, size: LAYOUT.size }));
    for (const [j, q] of noisy.decoded.entries()) assert.equal(q !== clean.decoded[j], mask.has(j), `coordinate ${j}`);
  });

  it("local: noise on every coordinate, then top-k; what the mask left out waits, and the noise does not", () => {
    const dense = prepare(stageOf(CONFIGS.P2), int16);
    assert.deepEqual([...dense.nextResidual], [...new Float64Array(LAYOUT.size)]);
    const sparse = prepare(stageOf(CONFIGS.P2), topk);
    const order = [...dense.decoded.keys()].sort(
      (a, b) => Math.abs(dense.decoded[b] as number) - Math.abs(dense.decoded[a] as number),
    );
    const kept = new Set(order.slice(0, 5));
    for (const [j, q] of sparse.decoded.entries()) {
      const clipped = (DELTA[j] as number) * unitsOf(j) * sparse.clipFactor;
      assert.equal(q !== 0, kept.has(j));
      assert.ok(Math.abs((sparse.nextResidual[j] as number) - (kept.has(j) ? 0 : clipped)) < 1e-6);
    }
  });

  it("local without error feedback keeps nothing", () => {
    const config = { ...CONFIGS.P2, pipeline: { name: "P2", errorFeedback: false } } as const;
    const stage = noiseStage(config, { ...place, layout: LAYOUT, cohort: 4, secret: new Uint8Array(32) });
    assert.ok(prepare(stage, topk).nextResidual.every((value) => value === 0));
  });

  it("as printed: every coordinate of the message is noisy, and the residual is what top-k left out", () => {
    const { decoded, nextResidual, clipFactor } = prepare(stageOf(CONFIGS.paper), int16);
    assert.ok(decoded.filter((q) => q !== 0).length >= LAYOUT.size - 1);
    const clipped = Array.from(DELTA, (value, j) => value * unitsOf(j) * clipFactor);
    const order = [...clipped.keys()].sort((a, b) => Math.abs(clipped[b] as number) - Math.abs(clipped[a] as number));
    const sent = new Set(order.slice(0, 4));
    for (const [j, left] of nextResidual.entries())
      assert.ok(Math.abs(left - (sent.has(j) ? 0 : (clipped[j] as number))) < (sent.has(j) ? 1 : 1e-6));
  });

  it("the residual never contains noise: with other secrets it is the same, unless the noise chose the mask", () => {
    for (const [config, codec] of [
      [CONFIGS.distributed, randk],
      [CONFIGS.distributed, { name: "qsgd", blockSize: 16, levels: 15, scaled: true }],
      [CONFIGS.paper, int16],
      [CONFIGS.P2, randk],
    ] as const) {
      const [one, other] = [1, 2].map((byte) =>
        prepare(stageOf(config, { secret: new Uint8Array(32).fill(byte) }), codec),
      );
      assert.deepEqual(one?.nextResidual, other?.nextResidual);
      assert.notDeepEqual(one?.decoded, other?.decoded);
    }
  });

  it("the same update comes again from the same secret, and other noise in another round", () => {
    const first = prepare(stageOf(CONFIGS.P2), int16);
    assert.deepEqual(prepare(stageOf(CONFIGS.P2), int16), first);
    assert.notDeepEqual(prepare(stageOf(CONFIGS.P2, { round: 8 }), int16).decoded, first.decoded);
  });

  it("clips after adding the residual: what leaves before noise is within C, whatever waits", () => {
    const long = fc.array(fc.double({ min: -1e7, max: 1e7, noNaN: true }), {
      minLength: LAYOUT.size,
      maxLength: LAYOUT.size,
    });
    const codecs = [
      ...CODECS.filter(({ name }) => !name.startsWith("topk")),
      randk,
      { ...randk, unbiased: true },
    ] as CodecConfig[];
    fc.assert(
      fc.property(long, fc.constantFrom(...codecs), (residual, codec) => {
        const { decoded } = prepare(stageOf(CONFIGS.central), codec, DELTA, Float64Array.from(residual));
        assert.ok(squaredNorm(decoded, LAYOUT) <= BigInt(2 ** 17) ** 2n);
      }),
      { seed: 71, numRuns: 100 },
    );
  });

  it("noise stays within what the run admits", () => {
    const loud = { ...CONFIGS.P2, noiseMultiplier: 1_000 };
    const stage = noiseStage(
      { ...loud, clipNorm: 0.05 },
      { ...place, layout: LAYOUT, cohort: 4, secret: new Uint8Array(32) },
    );
    const bounds = { maxCoordinate: 1_000, maxNormSq: 4_000_000n };
    const { decoded } = prepareUpdate({
      delta: DELTA,
      residual: new Float64Array(LAYOUT.size),
      master: new Float64Array(LAYOUT.size),
      layout: LAYOUT,
      codec: int16,
      bounds,
      noise: stage,
    });
    assert.ok(decoded.every((q) => Math.abs(q) <= 1_000));
    assert.ok(squaredNorm(decoded, LAYOUT) <= 4_000_000n);
  });

  it("refuses noise on coordinates that the data chose, and the paper's pipeline with a sparse codec", () => {
    for (const config of [CONFIGS.central, CONFIGS.distributed])
      assert.throws(() => prepare(stageOf(config), topk), /chooses coordinates by the data/);
    assert.throws(() => prepare(stageOf(CONFIGS.paper), topk), /use a dense codec/);
  });

  it("refuses noise on products of few factors, which would lose it", () => {
    const lowRank: CodecConfig = { name: "low-rank", rank: 1 };
    for (const config of [CONFIGS.distributed, CONFIGS.paper])
      assert.throws(() => prepare(stageOf(config), lowRank), /noise has full rank/);
  });

  it("refuses a stage without noise where the member has to add it", () => {
    const { addNoise: _, ...silent } = stageOf(CONFIGS.P2);
    assert.throws(() => prepare(silent, int16), /needs noise of the member/);
  });
});

describe("unbiased rand-k without privacy", () => {
  it("is right on average over rounds, and leaves no residual", () => {
    const codec: CodecConfig = { name: "randk-int16", blockSize: 6, keep: 6, unbiased: true };
    const sum = new Float64Array(LAYOUT.size);
    const squares = new Float64Array(LAYOUT.size);
    const rounds = 1_500;
    for (let round = 0; round < rounds; round++) {
      const { decoded, nextResidual } = prepareUpdate({
        delta: DELTA,
        residual: new Float64Array(LAYOUT.size),
        master: new Float64Array(LAYOUT.size),
        layout: LAYOUT,
        codec,
        bounds: wide,
        place: { run: 1n, round },
        random: keyedRandom("unbiased", round),
      });
      if (round === 0) assert.ok(nextResidual.every((value) => value === 0));
      for (const [j, q] of decoded.entries()) {
        sum[j] = (sum[j] as number) + q;
        squares[j] = (squares[j] as number) + q * q;
      }
    }
    for (const [j, total] of sum.entries()) {
      const mean = total / rounds;
      const error = Math.sqrt(Math.max(0, (squares[j] as number) / rounds - mean * mean) / rounds);
      assert.ok(Math.abs(mean - (DELTA[j] as number) * unitsOf(j)) <= 4 * error + 1e-9, `coordinate ${j}: ${mean}`);
    }
  });
});
