// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createOnnxNodeEngine } from "../../../../src/learning/engines/onnxNode.ts";
import { initialiseParameters } from "../../../../src/learning/layout.ts";
import type { LearningEngine, Model } from "../../../../src/learning/model.ts";
import { keyedRandom } from "../../../../src/protocol/random.ts";
import {
  DIFFUSION_STEPS,
  invertAndDenoise,
  SIGNAL,
  trainDenoiser,
} from "../../../../src/round/serverLearning/pFedGpa/diffusion.ts";
import { type PFedGpaOptions, pFedGpa } from "../../../../src/round/serverLearning/pFedGpa/pFedGpa.ts";
import { principalComponents } from "../../../../src/round/serverLearning/pFedGpa/principalComponents.ts";
import type { MemberUpdate } from "../../../../src/round/serverLearning/strategy.ts";
import { dot, moved } from "../../../../src/round/serverLearning/vectors.ts";
import { CONFIG, mean } from "../federation.ts";

const TRAINING = { steps: 150, batchSize: 16, learningRate: 3e-3, hidden: 32 };
const OPTIONS: PFedGpaOptions = {
  windowRounds: 20,
  minVectors: 50,
  components: 8,
  kappa: 0.3,
  mode: "diffusion",
  training: TRAINING,
};

describe("DDIM inversion and denoising", () => {
  /** The exact noise estimate of standard normal data. */
  const exact = (point: Float64Array, t: number) => point.map((value) => Math.sqrt(1 - (SIGNAL[t] as number)) * value);

  for (const [kappa, expected] of [
    [0.3, 0.98678],
    [1, 0.98156],
  ] as const)
    it(`returns ${expected} for 1 with the exact score at κ = ${kappa}`, () => {
      const [value] = invertAndDenoise(Float64Array.of(1), exact, kappa);
      assert.ok(Math.abs((value as number) - expected) < 1e-5, `${value}`);
    });

  it("is the identity at κ = 0, and ends in almost pure noise at T_d", () => {
    const point = Float64Array.of(0.3, -2);
    assert.deepEqual(
      invertAndDenoise(point, () => assert.fail("nothing to estimate"), 0),
      point,
    );
    assert.ok((SIGNAL[DIFFUSION_STEPS] as number) < 1e-4);
  });
});

describe("the schedule of noise", () => {
  const betas = Array.from(
    { length: DIFFUSION_STEPS },
    (_, t) => 1 - (SIGNAL[t + 1] as number) / (SIGNAL[t] as number),
  );
  /** ᾱ at the end if every β were `scale` times as large. */
  const lastSignal = (scale: number): number =>
    Math.exp(betas.reduce((sum, beta) => sum + Math.log1p(-scale * beta), 0));

  it("is linear from 5e-4 to 0.1, and ends in noise: ᾱ_200 is 3e-5", () => {
    for (const [t, beta] of betas.entries())
      assert.ok(Math.abs(beta - (5e-4 + (t / (DIFFUSION_STEPS - 1)) * (0.1 - 5e-4))) < 1e-12, `β_${t + 1} is ${beta}`);
    const end = SIGNAL[DIFFUSION_STEPS] as number;
    assert.ok(Math.abs(end / lastSignal(1) - 1) < 1e-9 && end < 1e-4, `${end}`);
  });

  it("as published for a thousand steps, 1e-4 … 0.02, two hundred would leave ᾱ_200 = .132 of the signal", () => {
    const unscaled = lastSignal(DIFFUSION_STEPS / 1000);
    assert.ok(Math.abs(unscaled - 0.132) < 5e-4, `${unscaled}`);
  });
});

describe("trainDenoiser", () => {
  it("learns more than nothing of data on two points: an error well below that of estimating 0", () => {
    const points = Array.from({ length: 40 }, (_, i) => Float64Array.of(i % 2 === 0 ? 1 : -1, 0));
    const { estimate, error } = trainDenoiser(points, { ...TRAINING, steps: 400 }, keyedRandom("denoiser"));
    assert.ok(error < 0.5, `${error}`);
    // Half-way to noise, what is off the line of the data is known to be noise.
    const t = 60;
    const spread = Math.sqrt(1 - (SIGNAL[t] as number));
    const [, across] = estimate(Float64Array.of(0.8, spread), t);
    assert.ok((across as number) > 0.5, `${across}`);
  });
});

describe("principalComponents", () => {
  const random = keyedRandom("components");
  /** Thirty vectors of 200 in a plane, and a little off it. */
  const [a, b] = [0, 1].map(() => Float64Array.from({ length: 200 }, () => random.normal())) as [
    Float64Array,
    Float64Array,
  ];
  const planar = (off: number) =>
    Array.from({ length: 30 }, () => {
      const [s, t] = [3 * random.normal(), random.normal()];
      return a.map((value, j) => 5 + s * value + t * (b[j] as number) + off * random.normal());
    });

  it("finds a plane: two components hold the variance, projecting changes nothing", () => {
    const vectors = planar(0);
    const space = principalComponents(vectors, 10, keyedRandom("start"));
    assert.equal(space.dimensions, 2);
    assert.ok(Math.abs(space.explained - 1) < 1e-9);
    for (const vector of vectors)
      assert.ok(space.project(vector).every((value, j) => Math.abs(value - (vector[j] as number)) < 1e-8));
  });

  it("whitens: latent coordinates have variance 1 and are uncorrelated", () => {
    const vectors = planar(0.5);
    const space = principalComponents(vectors, 4, keyedRandom("start"));
    assert.equal(space.dimensions, 4);
    const latent = vectors.map(space.encode);
    for (let c = 0; c < 4; c++)
      for (let e = 0; e <= c; e++) {
        const columns = [c, e].map((column) => Float64Array.from(latent, (row) => row[column] as number));
        const product = dot(columns[0] as Float64Array, columns[1] as Float64Array) / 30;
        assert.ok(Math.abs(product - (c === e ? 1 : 0)) < 1e-6, `${c},${e}: ${product}`);
      }
  });
});

describe("pFedGPA", () => {
  let engine: LearningEngine;
  let model: Model;
  const start = initialiseParameters(CONFIG, keyedRandom("start"));
  before(async () => {
    engine = await createOnnxNodeEngine();
    model = await engine.load(CONFIG);
  });
  after(() => engine.dispose());

  const updatesOf = (round: number): MemberUpdate[] =>
    Array.from({ length: 20 }, (_, member) => {
      const random = keyedRandom("update", round, member);
      return { member, samples: 1, delta: Float64Array.from({ length: start.length }, () => 0.1 * random.normal()) };
    });
  const play = async (options: PFedGpaOptions) => {
    const strategy = pFedGpa(model, options);
    let state = strategy.initial;
    const outcomes = [];
    for (const round of [1, 2, 3]) {
      const input = {
        round,
        parameters: start,
        updates: updatesOf(round),
        random: keyedRandom("run", round),
        base: mean,
      };
      const result = await strategy.aggregate(state, input);
      state = result.state;
      outcomes.push(result.outcome);
    }
    return outcomes;
  };

  it("is the base aggregation until there are fifty vectors; then each member has its own head on the global rest", async () => {
    const [first, second, third] = await play(OPTIONS);
    assert.ok(first?.personal === undefined && second?.personal === undefined);
    assert.equal(third?.personal?.size, 20);
    assert.deepEqual(third?.delta, (await mean(updatesOf(3))).delta);
    const next = moved(start, third?.delta as Float64Array);
    const own = third?.personal?.get(4) as Float32Array;
    assert.deepEqual(own.slice(0, 40), next.slice(0, 40));
    assert.notDeepEqual(own.slice(40), next.slice(40));
    assert.deepEqual((await play(OPTIONS))[2], third);
  });

  it("gives every member its own block back at κ = 0, and its projection in the ablation", async () => {
    const uploaded = (member: number) => moved(start, updatesOf(3)[member]?.delta as Float64Array).slice(40);
    const [, , none] = await play({ ...OPTIONS, kappa: 0, training: { ...TRAINING, steps: 2 } });
    const [, , ablated] = await play({ ...OPTIONS, mode: "pca" });
    for (const member of [0, 19]) {
      assert.deepEqual(none?.personal?.get(member)?.slice(40), uploaded(member));
      assert.notDeepEqual(ablated?.personal?.get(member)?.slice(40), uploaded(member));
    }
    assert.ok((ablated?.diagnostics.explained as number) < 0.9);
  });

  it("refuses tensors that the model does not have, and blocks beyond 20 000 parameters", async () => {
    assert.throws(() => pFedGpa(model, { ...OPTIONS, tensors: ["layer9.weight"] }), /layer9\.weight/);
    const wide = await engine.load({ kind: "logistic", inputs: 10_001, classes: 2 });
    assert.throws(() => pFedGpa(wide, OPTIONS), { code: "BAD_CONFIG" });
  });
});
