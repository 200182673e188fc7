// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { referenceKernels } from "../../../src/aggregation/reference/referenceKernels.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { runStudy, studySchema } from "../../../src/simulation/studies/table.ts";

const engine = await createOnnxNodeEngine({ threads: 1 });
after(() => engine.dispose());

async function figuresOf(config: Record<string, unknown>, seed = 1): Promise<Readonly<Record<string, number>>> {
  const surroundings = { engine, kernels: referenceKernels, dataRoot: "unused" };
  const figures = await runStudy(studySchema.parse(config), seed, surroundings);
  for (const [name, value] of Object.entries(figures)) assert.ok(Number.isFinite(value), `${name}: ${value}`);
  return figures;
}

describe("alignment of models that were trained from different starts", () => {
  it("makes their mean better than the plain mean by 5 points, and is repeated exactly", async () => {
    const figures = await figuresOf({ name: "alignment" });
    assert.ok((figures.alignedGain as number) >= 0.05, `${figures.alignedGain}`);
    assert.ok((figures.alignedOverSingle as number) > 0);
    assert.ok((figures.alignedSigns as number) > (figures.plain as number));
    assert.deepEqual(await figuresOf({ name: "alignment" }), figures);
  });
});

describe("two-stage search of a strength", () => {
  it("says how far from the grid's best it ended, and how much accuracy that cost", async () => {
    const figures = await figuresOf({
      name: "lambda-search",
      data: { name: "s-mix", s: 0.7, samples: 200, testSamples: 200 },
      members: 2,
      rounds: 2,
      perDecade: 1,
    });
    assert.equal(figures.searched, 7);
    assert.equal(figures.gridSize, 9);
    assert.ok((figures.decadesToGood as number) <= (figures.decadesToBest as number));
    const apart = Math.abs((figures.logStrength as number) - (figures.logBest as number));
    assert.ok(Math.abs(apart - (figures.decadesToBest as number)) < 1e-9);
    const lost = (figures.bestQuality as number) - (figures.quality as number);
    assert.ok(Math.abs(lost - (figures.qualityLost as number)) < 1e-12);
  });
});

describe("tiers of members with different speeds", () => {
  it("are those of the table, counted at the model; and the slowest member's class is learned from it alone", async () => {
    const figures = await figuresOf({ name: "tiers", samples: 600, rounds: 3 });
    // Plain; one projection; round(1 + 9/2) = 6; ten.
    const perStep = [1, 2, 3, 4].map((member) => figures[`gradientsPerStep${member}`]);
    assert.deepEqual(perStep, [1, 4, 19, 31]);
    assert.equal(figures.tiersHonoured, 1);
    assert.ok((figures.slowestClassWithout as number) < 0.1, `${figures.slowestClassWithout}`);
    assert.ok((figures.slowestClassAccuracy as number) > 0.3, `${figures.slowestClassAccuracy}`);
  });
});

describe("the rotation term of SPFL", () => {
  it("lowers what it is a penalty on, the more the heavier it weighs", async () => {
    const small = { name: "rotation", data: { name: "s-mix", s: 0.7, samples: 400 }, members: 4, rounds: 4 };
    const [light, heavy] = [await figuresOf({ ...small, weight: 1 }), await figuresOf({ ...small, weight: 20 })];
    assert.equal(light.rotationWithout, heavy.rotationWithout);
    assert.ok((heavy.rotationRatio as number) < (light.rotationRatio as number));
    assert.ok((light.rotationRatio as number) < 1);
  });
});

describe("parameter-efficient tuning", () => {
  const small = { name: "peft", hidden: 64, rounds: 3, members: 4, data: { name: "s-mix", s: 0.7, samples: 900 } };
  const run = (method: string, more: Record<string, unknown> = {}) => figuresOf({ ...small, method, ...more });

  it("stacked products and a frozen A have an exact mean; means of both factors have not", async () => {
    const [naive, frozen, stack] = [await run("naive"), await run("freezeA"), await run("stack")];
    assert.ok((stack.meanError as number) < 1e-4, `${stack.meanError}`);
    assert.ok((frozen.meanError as number) < 1e-4, `${frozen.meanError}`);
    assert.ok((naive.meanError as number) > 100 * (stack.meanError as number), `${naive.meanError}`);
    for (const { startAccuracy, reachedAccuracy } of [naive, frozen, stack])
      assert.ok((reachedAccuracy as number) > (startAccuracy as number));
  });

  it("factors are fewer bytes than the model; products are not", async () => {
    const [full, frozen, naive, stack, svd] = [
      await run("full"),
      await run("freezeA"),
      await run("naive"),
      await run("stack"),
      await run("svd"),
    ].map(({ bytesShare }) => bytesShare as number) as [number, number, number, number, number];
    assert.ok(frozen < naive && naive < 0.5 * full, `${frozen} ${naive} ${full}`);
    assert.ok(stack > 0.8 * full && svd > 0.8 * full, `${stack} ${svd} ${full}`);
  });

  it("a budget of coordinates is kept to", async () => {
    const { bytesShare } = await run("partial", { budget: 740 });
    assert.ok((bytesShare as number) < 0.15, `${bytesShare}`);
  });

  it("adapters start as the trained model, are few bytes, have an exact mean and learn", async () => {
    const more = { hidden: 128, data: { name: "s-mix", s: 0.55, samples: 3_000 } };
    const full = await run("full", { ...more, rounds: 1 });
    const adapters = await run("adapters", { ...more, width: 8, learningRate: 0.1, rounds: 6 });
    assert.equal(adapters.startAccuracy, full.startAccuracy);
    assert.ok((adapters.bytesShare as number) < 0.15, `${adapters.bytesShare}`);
    assert.ok((adapters.meanError as number) < 1e-4, `${adapters.meanError}`);
    assert.ok((adapters.gained as number) > 0, `${adapters.gained}`);
  });
});
