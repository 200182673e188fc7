// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toHex, utf8 } from "../../src/protocol/bytes.ts";
import { canonicalJson, type Json } from "../../src/protocol/canonicalJson.ts";
import { keccak256 } from "../../src/protocol/hash.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import { decodeRecipe, encodeRecipe, type Recipe, ruleId, serverOptimiserOf } from "../../src/protocol/recipe.ts";

const WORD = `0x${"ab".repeat(32)}`;
const RECIPE: Recipe = {
  version: 1,
  name: "handwritten digits",
  model: { kind: "mlp", inputs: 4, hidden: [3], classes: 2, activation: "relu" },
  layout: [
    { name: "hidden.weight", shape: [4, 3], fractionBits: 16, group: 0 },
    { name: "hidden.bias", shape: [3], fractionBits: 16, group: 1 },
  ],
  training: { localSteps: 10, batchSize: 32, learningRate: 0.1, momentum: 0.9 },
  update: { codec: { name: "topk-int8", blockSize: 64, keep: 15 }, maxCoordinate: 65_536, maxNormSq: "1099511627776" },
  aggregation: { rule: "byzfed", parameters: { filter: "tau", tau: 2.5, sizeWeighted: true } },
  scoring: {
    mode: "exact",
    heldOutCid: WORD,
    heldOutDigest: WORD,
    permutations: 200,
    truncation: 0,
    engine: { package: "onnxruntime-web", version: "1.30.0", batchSize: 128 },
  },
  criterion: { progress: 100, tolerance: 10, maxUpdateNorm: 1.5 },
};

const ADAGRAD = {
  localSteps: 10,
  batchSize: 32,
  learningRate: 0.01,
  optimiser: "adagrad",
  epsilon: 0.001,
  initialAccumulator: 0,
};
const YOGI = { name: "fedyogi", learningRate: 0.01, beta1: 0.9, beta2: 0.99, tau: 0.001 };

/** A copy in which the value at `path` is another; undefined leaves the key out. */
function changed(path: string, value: unknown): Recipe {
  const copy = structuredClone(RECIPE) as unknown as Record<string, unknown>;
  const keys = path.split(".");
  const last = keys.pop() as string;
  let place = copy;
  for (const key of keys) place = place[key] as Record<string, unknown>;
  if (value === undefined) delete place[last];
  else place[last] = value;
  return copy as unknown as Recipe;
}
const bytesOf = (recipe: Recipe) => utf8(canonicalJson(recipe as unknown as Json));

describe("recipe", () => {
  it("comes back from its bytes, with its layout and digest", () => {
    const bytes = encodeRecipe(RECIPE);
    const decoded = decodeRecipe(bytes);
    assert.deepEqual(decoded.recipe, RECIPE);
    assert.equal(decoded.digest, toHex(keccak256(bytes)));
    assert.deepEqual(decoded.layout, modelLayout(RECIPE.layout));
    assert.deepEqual(encodeRecipe(decoded.recipe), bytes);
  });
  it("names its optimisers, or leaves them out: momentum for members, none for the server", () => {
    const accepted = [
      ["training", { ...RECIPE.training, optimiser: "sgd-momentum" }],
      ["training", ADAGRAD],
      ["training", { ...ADAGRAD, optimiser: "sm3", initialAccumulator: 1e-4 }],
      ["serverOptimiser", { name: "none" }],
      ["serverOptimiser", { name: "fedavgm", learningRate: 1, momentum: 0.9 }],
      ["serverOptimiser", { name: "fedadagrad", learningRate: 0.1, beta1: 0, tau: 0.001 }],
      ["serverOptimiser", { ...YOGI, name: "fedadam" }],
      ["serverOptimiser", YOGI],
    ] as const;
    for (const [path, value] of accepted) {
      const recipe = changed(path, value);
      const bytes = encodeRecipe(recipe);
      assert.deepEqual(decodeRecipe(bytes).recipe, recipe);
      assert.notDeepEqual(bytes, encodeRecipe(RECIPE));
    }
    assert.equal(serverOptimiserOf(RECIPE), undefined);
    assert.equal(serverOptimiserOf(changed("serverOptimiser", { name: "none" })), undefined);
    assert.deepEqual(serverOptimiserOf(changed("serverOptimiser", YOGI)), YOGI);
  });
  it("has a digest that runs already on chain can still be checked against", () => {
    // Fixed when this test was written: a change means that recipes in use no longer have the digest in their run's parameters.
    assert.equal(
      decodeRecipe(encodeRecipe(RECIPE)).digest,
      "0xd932403ffc3337895445082608d21c20808d604cb9fb1b2fd97765d0b9772dc7",
    );
  });
  it("has the same bytes whatever the order of its keys", () => {
    const reversed = Object.fromEntries(Object.entries(RECIPE).reverse()) as Recipe;
    assert.deepEqual(encodeRecipe(reversed), encodeRecipe(RECIPE));
  });
  it("has another digest when any part changes", () => {
    const digests = [
      RECIPE,
      changed("name", "x"),
      changed("model.classes", 3),
      changed("layout.1.group", 0),
      changed("training.momentum", 0),
      changed("update.codec.keep", 14),
      changed("update.maxNormSq", "1"),
      changed("aggregation.parameters.tau", 3),
      changed("scoring.heldOutDigest", WORD.replaceAll("b", "c")),
      changed("scoring.permutations", 2),
      changed("scoring.coalitions", "weights"),
      changed("scoring.coalitions", "rule"),
      changed("criterion.tolerance", 0),
    ].map((recipe) => decodeRecipe(encodeRecipe(recipe)).digest);
    assert.equal(new Set(digests).size, digests.length);
  });

  const refused: Record<string, [Recipe, RegExp]> = {
    "an unknown key": [changed("comment", "x"), /comment/],
    "an unknown key deep inside": [changed("scoring.engine.threads", 2), /threads/],
    "a parameter of another rule": [changed("aggregation", { rule: "weighted-mean", tau: 1 }), /tau/],
    "keep in a codec that sends everything": [changed("update.codec", { name: "int8", blockSize: 1, keep: 1 }), /keep/],
    "a missing part": [changed("training", undefined), /training/],
    "a missing keep": [changed("update.codec.keep", undefined), /keep/],
    "another version": [changed("version", 2), /version/],
    "an empty name": [changed("name", ""), /name/],
    "more coordinates kept than there are": [changed("update.codec.keep", 16), /16 coordinates of a model that has 15/],
    "an odd number of permutations": [changed("scoring.permutations", 201), /permutations/],
    "no permutations": [changed("scoring.permutations", 0), /permutations/],
    "coalitions nobody knows": [changed("scoring.coalitions", "model"), /coalitions/],
    "coalitions by the rule where the method asks for none": [
      changed("scoring", { ...RECIPE.scoring, method: "in-run", coalitions: "rule" }),
      /scoring\.method in-run .* leave scoring\.coalitions out/,
    ],
    "a rule nobody knows": [changed("aggregation.rule", "mean"), /aggregation/],
    "a bound of 0": [changed("update.maxNormSq", "0"), /maxNormSq/],
    "a bound with a leading zero": [changed("update.maxNormSq", "01"), /maxNormSq/],
    "a coordinate bound of 2^24": [changed("update.maxCoordinate", 16_777_216), /maxCoordinate/],
    "a momentum of 1": [changed("training.momentum", 1), /momentum/],
    "a learning rate of 0": [changed("training.learningRate", 0), /learningRate/],
    "an optimiser nobody knows": [changed("training.optimiser", "adamw"), /optimiser/],
    "AdaGrad with a momentum": [changed("training", { ...ADAGRAD, momentum: 0.9 }), /momentum/],
    "AdaGrad without ε": [changed("training", { ...RECIPE.training, optimiser: "adagrad" }), /epsilon/],
    "a server optimiser nobody knows": [changed("serverOptimiser", { ...YOGI, name: "fedsgd" }), /serverOptimiser/],
    "a server optimiser without its β₂": [
      changed("serverOptimiser", { name: "fedadam", learningRate: 0.1, beta1: 0.9, tau: 0.001 }),
      /beta2/,
    ],
    "a server optimiser with another's parameter": [
      changed("serverOptimiser", { ...YOGI, name: "fedadagrad" }),
      /beta2/,
    ],
    "a β₁ of 1": [changed("serverOptimiser", { ...YOGI, beta1: 1 }), /beta1/],
    "a τ of 0": [changed("serverOptimiser", { ...YOGI, tau: 0 }), /tau/],
    "a parameter without a server optimiser": [changed("serverOptimiser", { name: "none", tau: 1 }), /tau/],
    "a digest in capitals": [changed("scoring.heldOutDigest", WORD.replaceAll("b", "B")), /heldOutDigest/],
    "a layout without tensors": [changed("layout", []), /layout/],
    "a layout with two tensors of one name": [changed("layout.1.name", "hidden.weight"), /hidden\.weight/],
    "a layout that leaves out a group": [changed("layout.1.group", 2), /group 2/],
  };
  for (const [what, [recipe, message]] of Object.entries(refused)) {
    it(`with ${what} is refused, to write and to read`, () => {
      const error = { code: "BAD_CONFIG", message };
      assert.throws(() => encodeRecipe(recipe), error);
      assert.throws(() => decodeRecipe(bytesOf(recipe)), error);
    });
  }

  const text = new TextDecoder().decode(bytesOf(RECIPE));
  for (const [what, spelling] of [
    ["white space", JSON.stringify(RECIPE, null, 2)],
    ["keys in another order", JSON.stringify(RECIPE)],
    ["a line end", `${text}\n`],
    ["a number in another form", text.replace('"momentum":0.9', '"momentum":9e-1')],
    ["a key given twice", text.replace('"version":1}', '"version":1,"version":1}')],
    ["its end missing", text.slice(0, -1)],
  ] as const) {
    it(`with ${what} is refused`, () => {
      assert.notEqual(spelling, text);
      assert.throws(() => decodeRecipe(utf8(spelling)), { code: "MALFORMED_INPUT" });
    });
  }
  // The decoder drops a byte order mark, so a second spelling of a recipe, with another digest, is read.
  it("with a byte order mark is refused", () => {
    assert.throws(() => decodeRecipe(utf8(`\ufeff${text}`)), { code: "MALFORMED_INPUT" });
  });
  it("that is not UTF-8 is refused", () => {
    const bytes = bytesOf(RECIPE);
    bytes[text.indexOf("handwritten")] = 0xff;
    assert.throws(() => decodeRecipe(bytes), { code: "MALFORMED_INPUT" });
  });
});

describe("ruleId", () => {
  it("is 30 bytes of the name's keccak256 and the least number of updates, as contracts/rounds/RunRules.sol reads it", () => {
    const name = toHex(keccak256(utf8("byzfed"))).slice(0, 62);
    assert.equal(ruleId("byzfed", 4), `${name}0004`);
    assert.equal(ruleId("byzfed", 2_047), `${name}07ff`);
    assert.notEqual(ruleId("byzfed", 4).slice(0, 62), ruleId("weighted-mean", 4).slice(0, 62));
  });
});

describe("aggregation in a recipe", () => {
  const taken: unknown[] = [
    { rule: "trimmed-mean", parameters: { trim: 2 } },
    { rule: "krum", parameters: { byzantine: 0 } },
    { rule: "multi-krum", parameters: { byzantine: 2 } },
    { rule: "multi-krum", parameters: { byzantine: 2, selected: 3 } },
    { rule: "bulyan", parameters: { byzantine: 1 }, before: [{ step: "bucketing", size: 2 }] },
    {
      rule: "coordinate-median",
      before: [
        { step: "bucketing", size: 2 },
        { step: "nearest-neighbour-mixing", byzantine: 1 },
      ],
    },
    { rule: "centred-clipping", parameters: { radius: 0.25, iterations: 3 } },
  ];
  for (const aggregation of taken) {
    it(`takes ${JSON.stringify(aggregation)}, and writes it as it was`, () => {
      assert.deepEqual(decodeRecipe(encodeRecipe(changed("aggregation", aggregation))).recipe.aggregation, aggregation);
    });
  }

  const refused: Record<string, [unknown, RegExp]> = {
    "parameters left out": [{ rule: "krum" }, /parameters/],
    "a negative f": [{ rule: "krum", parameters: { byzantine: -1 } }, /byzantine/],
    "half an f": [{ rule: "bulyan", parameters: { byzantine: 0.5 } }, /byzantine/],
    "none selected": [{ rule: "multi-krum", parameters: { byzantine: 1, selected: 0 } }, /selected/],
    "a radius of 0": [{ rule: "centred-clipping", parameters: { radius: 0, iterations: 1 } }, /radius/],
    "no iterations": [{ rule: "centred-clipping", parameters: { radius: 1, iterations: 0 } }, /iterations/],
    "no step in before": [{ rule: "weighted-mean", before: [] }, /before/],
    "a step nobody knows": [{ rule: "weighted-mean", before: [{ step: "shuffling" }] }, /before/],
    "a step twice": [
      {
        rule: "weighted-mean",
        before: [
          { step: "bucketing", size: 2 },
          { step: "bucketing", size: 3 },
        ],
      },
      /each step at most once/,
    ],
    "buckets of one": [{ rule: "weighted-mean", before: [{ step: "bucketing", size: 1 }] }, /size/],
    "buckets of 33": [{ rule: "weighted-mean", before: [{ step: "bucketing", size: 33 }] }, /size/],
  };
  for (const [what, [aggregation, message]] of Object.entries(refused)) {
    it(`refuses ${what}`, () => {
      assert.throws(() => encodeRecipe(changed("aggregation", aggregation)), { code: "BAD_CONFIG", message });
    });
  }
});
