// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createCipheriv, hkdfSync } from "node:crypto";
import { describe, it } from "node:test";
import { discreteGaussian } from "../../src/privacy/discreteGaussian.ts";
import { addCentralNoise, centralSigma, noiseStage } from "../../src/privacy/noiseStage.ts";
import { privateLoss } from "../../src/privacy/privateLoss.ts";
import { secretStream } from "../../src/privacy/secretStream.ts";
import { modelLayout } from "../../src/protocol/layout.ts";

const SECRET = new Uint8Array(32).fill(7);
const label = (round: number, purpose = "test"): Parameters<typeof secretStream>[1] => ({ run: 2n, round, purpose });
const LAYOUT = modelLayout([
  { name: "fine", shape: [2_000], fractionBits: 18, group: 0 },
  { name: "coarse", shape: [2_000], fractionBits: 10, group: 0 },
]);

/** Standard deviation, and whether the mean is within 4 standard errors of 0. */
function spreadOf(values: ArrayLike<number>): { sd: number; centred: boolean } {
  const n = values.length;
  const mean = Array.from(values).reduce((sum, v) => sum + v, 0) / n;
  const sd = Math.sqrt(Array.from(values).reduce((sum, v) => sum + (v - mean) ** 2, 0) / n);
  return { sd, centred: Math.abs(mean) <= (4 * sd) / Math.sqrt(n) };
}

describe("secretStream", () => {
  it("is ChaCha20 under HKDF of the secret and the label", () => {
    const info = JSON.stringify(["foedus.v1.noise", "2", 5, "test"]);
    const key = new Uint8Array(hkdfSync("sha256", SECRET, new Uint8Array(0), info, 32));
    const expected = createCipheriv("chacha20", key, new Uint8Array(16)).update(new Uint8Array(12));
    const stream = secretStream(SECRET, label(5));
    for (const at of [0, 4, 8]) assert.equal(stream.nextUint32(), expected.readUInt32BE(at));
  });
  it("goes on past its first block, and is another for every round, run, purpose and secret", () => {
    const first = (secret: Uint8Array, of = label(5)): number[] => {
      const stream = secretStream(secret, of);
      return Array.from({ length: 20_000 }, () => stream.nextUint32());
    };
    const words = first(SECRET);
    assert.deepEqual(first(SECRET), words);
    assert.ok(new Set(words).size > 19_990);
    for (const other of [
      first(SECRET, label(6)),
      first(SECRET, { ...label(5), run: 3n }),
      first(SECRET, label(5, "loss")),
      first(new Uint8Array(32).fill(8)),
    ])
      assert.notDeepEqual(other.slice(0, 4), words.slice(0, 4));
  });
  it("refuses a secret of another length", () =>
    assert.throws(() => secretStream(new Uint8Array(31), label(1)), /32 bytes, not 31/));
});

describe("discreteGaussian", () => {
  for (const sigma of [0.4, 1, 2.5]) {
    it(`σ = ${sigma}: every integer as often as exp(−k²/(2σ²)) says (χ²)`, () => {
      const draw = discreteGaussian(sigma, secretStream(SECRET, label(1)));
      const draws = 40_000;
      const counts = new Map<number, number>();
      for (let i = 0; i < draws; i++) {
        const k = draw();
        counts.set(k, (counts.get(k) ?? 0) + 1);
      }
      const span = Array.from({ length: 61 }, (_, i) => i - 30);
      // σ is rounded up to a multiple of 1/1024.
      const s = Math.ceil(sigma * 1_024) / 1_024;
      const weight = (k: number): number => Math.exp(-(k * k) / (2 * s * s));
      const total = span.reduce((sum, k) => sum + weight(k), 0);
      let chiSquared = 0;
      let cells = 0;
      for (const k of span) {
        const expected = (draws * weight(k)) / total;
        if (expected < 10) continue;
        chiSquared += ((counts.get(k) ?? 0) - expected) ** 2 / expected;
        cells++;
      }
      // Far beyond the 99.99 % point for these few cells.
      assert.ok(chiSquared < cells + 5 * Math.sqrt(2 * cells) + 10, `χ² = ${chiSquared} in ${cells} cells`);
    });
  }

  it("large σ: mean 0, standard deviation σ, three hundredths beyond 2σ either side", () => {
    for (const sigma of [2_621.44, 3e7]) {
      const draw = discreteGaussian(sigma, secretStream(SECRET, label(2)));
      const values = Float64Array.from({ length: 20_000 }, draw);
      assert.ok(values.every(Number.isInteger));
      const { sd, centred } = spreadOf(values);
      assert.ok(centred && Math.abs(sd / sigma - 1) < 4 / Math.sqrt(2 * values.length), `${sd}`);
      const beyond = values.filter((v) => Math.abs(v) > 2 * sigma).length / values.length;
      assert.ok(Math.abs(beyond - 0.0455) < 0.006, String(beyond));
    }
  });

  it("refuses σ that is none or too large", () => {
    for (const sigma of [0, -1, Number.NaN, 2 ** 27])
      assert.throws(() => discreteGaussian(sigma, secretStream(SECRET, label(1))), { code: "BAD_CONFIG" });
  });
});

describe("noiseStage", () => {
  const common = { clipNorm: 0.5, noiseMultiplier: 2, budget: { epsilon: 8, delta: 1e-5 } };
  const input = { run: 1n, round: 1, layout: LAYOUT, cohort: 16, secret: SECRET };
  const noiseIn = (values: Float64Array): [fine: number, coarse: number] => [
    spreadOf(values.subarray(0, 2_000)).sd / 2 ** 18,
    spreadOf(values.subarray(2_000)).sd / 2 ** 10,
  ];

  it("local: 2zC = 2 in model units, on each tensor's own grid", () => {
    const config = {
      mode: "local",
      ...common,
      loss: { clip: 1, noiseMultiplier: 1 },
      pipeline: { name: "P2", errorFeedback: false },
    } as const;
    const values = new Float64Array(4_000);
    noiseStage(config, input).addNoise?.(values, LAYOUT);
    for (const sd of noiseIn(values)) assert.ok(Math.abs(sd - 2) < 0.13, String(sd));
  });

  it("distributed: zC/√(K − colluders) = 1/3, on the coordinates given", () => {
    const config = { mode: "distributed", ...common, errorFeedback: false, colluders: 7 } as const;
    const values = new Float64Array(4_000);
    const odd = Uint32Array.from({ length: 2_000 }, (_, i) => 2 * i + 1);
    noiseStage(config, input).addNoise?.(values, LAYOUT, odd);
    assert.ok(values.every((value, j) => j % 2 === 1 || value === 0));
    for (const part of [values.subarray(0, 2_000), values.subarray(2_000)]) {
      const unit = part.byteOffset === 0 ? 2 ** 18 : 2 ** 10;
      const { sd } = spreadOf(part.filter((_, j) => j % 2 === 1));
      assert.ok(Math.abs(sd / unit - 1 / 3) < 0.032, String(sd / unit));
    }
  });

  it("central: nothing at the client, zC at the server", () => {
    const config = { mode: "central", ...common, errorFeedback: false } as const;
    assert.equal(noiseStage(config, input).addNoise, undefined);
    const sum = new Float64Array(4_000);
    addCentralNoise(sum, LAYOUT, { sigma: 1, words: secretStream(SECRET, label(9)) });
    for (const sd of noiseIn(sum)) assert.ok(Math.abs(sd - 1) < 0.065, String(sd));
  });

  it("central with a C that adapts: the count's part of the budget is added to the noise", () => {
    const config = { mode: "central", ...common, errorFeedback: false } as const;
    assert.equal(centralSigma(config), 1);
    assert.equal(centralSigma(config, 3), 6);
    const adaptive = { quantile: 0.5, rate: 0.2, countNoise: 2 };
    // (1/4 − 1/16)^(-1/2) of C = 1/2.
    assert.ok(Math.abs(centralSigma({ ...config, adaptive }) - 0.5 / Math.sqrt(3 / 16)) < 1e-12);
  });

  it("C may be adapted, and must be a unit of the grid at least", () => {
    const config = { mode: "central", ...common, errorFeedback: false } as const;
    assert.equal(noiseStage(config, { ...input, clipNorm: 2 }).maxNormSq, BigInt(2 ** 19) ** 2n);
    assert.throws(() => noiseStage(config, { ...input, clipNorm: 1e-6 }), /less than one unit/);
  });

  it("clips each tensor by itself where asked to", () => {
    const config = { mode: "central", ...common, perTensor: true, errorFeedback: false } as const;
    const values = new Float64Array(4_000);
    values[0] = 2 ** 18;
    values[2_000] = 100;
    const factor = noiseStage(config, input).clip(values, LAYOUT);
    assert.ok(Math.abs(factor - 0.5 / Math.SQRT2) < 1e-12);
    assert.equal(values[2_000], 100);
  });
});

describe("privateLoss", () => {
  const noise = { clip: 4, noiseMultiplier: 0.25 };
  const draw = (loss: number, round: number): number =>
    privateLoss(loss, noise, secretStream(SECRET, label(round, "loss")));
  it("is the loss with noise zB, within [0, B]", () => {
    const values = Float64Array.from({ length: 600 }, (_, round) => draw(2, round) - 2 * 65_536);
    const { sd, centred } = spreadOf(values);
    assert.ok(centred && Math.abs(sd / 65_536 - 1) < 0.12, String(sd / 65_536));
    for (let round = 0; round < 50; round++) {
      for (const loss of [0, 4, 1e9, Number.NaN, Number.POSITIVE_INFINITY]) {
        const reported = draw(loss, round);
        assert.ok(Number.isInteger(reported) && reported >= 0 && reported <= 4 * 65_536);
      }
    }
  });
});
