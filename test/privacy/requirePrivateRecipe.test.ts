// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type PrivateRecipe, requirePrivateRecipe } from "../../src/privacy/requirePrivateRecipe.ts";

const common = { clipNorm: 1, noiseMultiplier: 0.5, budget: { epsilon: 8, delta: 1e-5 } };
const loss = { clip: 10, noiseMultiplier: 5 };
const local = { mode: "local", ...common, loss, pipeline: { name: "P2", errorFeedback: true } } as const;
const central = { mode: "central", ...common, errorFeedback: true } as const;
const recipe: PrivateRecipe = {
  privacy: local,
  codec: { name: "topk-int8", blockSize: 64, keep: 5 },
  size: 100,
  cohort: 400,
  sampling: { kind: "poisson", rate: 0.1, published: true },
  rule: { name: "byzfed", sizeWeighted: false },
  singleUpdatesSeen: true,
  replayable: true,
};
const simulated = { rule: { name: "uniform-mean", sizeWeighted: false }, singleUpdatesSeen: false, replayable: false };

describe("requirePrivateRecipe", () => {
  it("has nothing to say where nothing is private, and of records that counts are published", () => {
    assert.deepEqual(requirePrivateRecipe({ ...recipe, privacy: { mode: "none" } }), []);
    assert.equal(requirePrivateRecipe({ ...recipe, privacy: { mode: "record", ...common, loss } }).length, 1);
  });
  it("local noise goes with any rule and codec", () => assert.equal(requirePrivateRecipe(recipe).length, 2));
  it("says how long the noise is where it drowns the signal", () => {
    const remarks = requirePrivateRecipe({ ...recipe, cohort: 4, size: 10_000 });
    // 2zC·√d/√K = 1·100/2.
    assert.match(remarks.at(-1) as string, /mean of 4 is 50\.0 times/);
  });
  it("the paper's pipeline says that it saves nothing, and wants a dense codec", () => {
    const privacy = { ...local, pipeline: { name: "paper", errorFeedback: true, keep: 5 } } as const;
    assert.throws(() => requirePrivateRecipe({ ...recipe, privacy }), /sends 5 of them; use a dense codec/);
    const dense = { ...recipe, privacy, codec: { name: "int8", blockSize: 64 } } as const;
    assert.ok(requirePrivateRecipe(dense).some((remark) => /saves no bytes/.test(remark)));
    assert.throws(() => requirePrivateRecipe({ ...dense, size: 4 }), /keeps 5 coordinates of a model that has 4/);
  });
  it("members' noise refuses products of few factors; a server's takes them", () => {
    const codec = { name: "low-rank", rank: 4 } as const;
    const distributed = { mode: "distributed", ...common, errorFeedback: true, colluders: 10 } as const;
    for (const privacy of [local, distributed])
      assert.throws(() => requirePrivateRecipe({ ...recipe, privacy, codec, ...simulated }), /noise has full rank/);
    assert.ok(requirePrivateRecipe({ ...recipe, privacy: central, codec, ...simulated }).length > 0);
  });
  it("central and distributed noise refuse top-k, and what does not cover them", () => {
    assert.throws(
      () => requirePrivateRecipe({ ...recipe, privacy: central, ...simulated }),
      /chooses coordinates by the data/,
    );
    const codec = { name: "randk-int8", blockSize: 64, keep: 5, unbiased: false } as const;
    assert.throws(() => requirePrivateRecipe({ ...recipe, privacy: central, codec }), /has to stay secret/);
    const remarks = requirePrivateRecipe({ ...recipe, privacy: central, codec, ...simulated });
    assert.ok(remarks.some((remark) => /q := 1/.test(remark)));
    const distributed = { mode: "distributed", ...common, errorFeedback: true, colluders: 10 } as const;
    assert.equal(requirePrivateRecipe({ ...recipe, privacy: distributed, codec, ...simulated }).length, 2);
  });
});
