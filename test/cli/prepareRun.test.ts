// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { stringify } from "yaml";
import { readRunRequest } from "../../scripts/lib/runRequest.ts";
import { prepareRunFile } from "../../src/cli/prepareRunFile.ts";
import { decodeDataset } from "../../src/data/encodeDataset.ts";
import { AGREED_ENGINE } from "../../src/learning/engines/agreed.ts";
import { toHex } from "../../src/protocol/bytes.ts";
import { decodeCheckpoint, modelRoot } from "../../src/protocol/checkpoint.ts";
import { contentIdOfDigest } from "../../src/protocol/contentId.ts";
import { splitMaster } from "../../src/protocol/grid.ts";
import { decodeRecipe } from "../../src/protocol/recipe.ts";
import { openStore } from "../../src/storage/openStore.ts";
import { foedus, temporaryFolder } from "./support.ts";

const RECIPE = {
  name: "two classes",
  model: { kind: "logistic", inputs: 2, classes: 2 },
  training: { localSteps: 5, batchSize: 4, learningRate: 0.1, momentum: 0.5 },
  update: { codec: { name: "int8", blockSize: 2 }, maxCoordinate: 1_048_576, maxNormSq: "1000000000000" },
  aggregation: { rule: "weighted-mean" },
  serverOptimiser: { name: "fedadam", learningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 0.001 },
  scoring: { mode: "exact", permutations: 4, truncation: 0, engine: { batchSize: 8 } },
  criterion: { progress: 1, tolerance: 1, maxUpdateNorm: 1 },
  run: {
    rounds: 3,
    maxOpenings: 9,
    cohort: 4,
    capacity: 8,
    minAccepted: 3,
    commitBlocks: 100,
    judgeBlocks: 50,
    fetchBlocks: 20,
    attestBlocks: 50,
    viewBlocks: 10,
    challengeBlocks: 100,
    alphaQ16: 58_982,
    omegaQ16: 45_875,
    pool: "1000000000000000000000",
  },
};

describe("foedus run prepare", () => {
  it("publishes what the run file names, and writes what scripts/open-run.ts takes", async (t) => {
    const folder = await temporaryFolder(t);
    const at = (name: string) => join(folder, name);
    await writeFile(at("recipe.yaml"), stringify(RECIPE));
    await writeFile(at("held-out.csv"), "1,2,0\n3,4,1\n5,6,1\n");
    const args = [
      "--recipe",
      at("recipe.yaml"),
      "--held-out",
      at("held-out.csv"),
      "--held-out-scale",
      "0.5",
      "--init-seed",
      "s",
    ];
    const prepare = (store: string, out: string) =>
      foedus(["run", "prepare", ...args, "--store", `helia:${at(store)}`, "--out", at(out)]);
    const { code, stderr } = await prepare("store", "run.json");
    assert.equal(code, 0, stderr);

    const request = await readRunRequest(at("run.json"));
    assert.equal(request.rounds, 3);
    assert.equal(request.pool, 10n ** 21n);
    const store = await openStore({ kind: "helia", folder: at("store"), listen: [] });
    t.after(() => store.close());
    const read = async (digest: `0x${string}`): Promise<Uint8Array> => {
      const id = contentIdOfDigest(digest);
      assert.ok(await store.serves(id), "published objects are served");
      return store.get(id, { maxBytes: 1 << 20, timeoutMs: 0 });
    };
    const { recipe, layout, digest } = decodeRecipe(await read(request.recipeCid));
    assert.equal(digest, request.recipeDigest);
    assert.deepEqual(
      recipe.layout.map(({ name, shape, fractionBits }) => ({ name, shape, fractionBits })),
      [
        { name: "layer1.weight", shape: [2, 2], fractionBits: 18 },
        { name: "layer1.bias", shape: [2], fractionBits: 18 },
      ],
    );
    assert.equal(recipe.scoring.engine.package, "onnxruntime-web");
    assert.equal(recipe.scoring.mode, "exact");
    assert.equal(request.scoring, 0);
    const heldOut = decodeDataset(await read(recipe.scoring.heldOutCid as `0x${string}`));
    assert.deepEqual([...heldOut.features], [0.5, 1, 1.5, 2, 2.5, 3]);
    assert.deepEqual([...heldOut.labels], [0, 1, 1]);
    const checkpoint = await read(request.initialCheckpointCid);
    assert.equal(toHex(modelRoot(checkpoint)), request.initialModelRoot);
    const { master, state } = decodeCheckpoint(checkpoint, { layout, recipe });
    assert.ok(
      master.subarray(0, 4).some((value) => value !== 0),
      "weights are drawn",
    );
    assert.ok(
      master.subarray(4).every((value) => value === 0),
      "biases are 0",
    );
    assert.deepEqual(recipe.serverOptimiser, RECIPE.serverOptimiser);
    assert.deepEqual(state, { momentum: new Float64Array(6), variance: new Float64Array(6).fill(0.001 * 0.001) });

    // Anybody can make the same run file again from recipe, data and seed.
    assert.equal((await prepare("other-store", "again.json")).code, 0);
    assert.equal(await readFile(at("again.json"), "utf8"), await readFile(at("run.json"), "utf8"));
  });

  it("completes layout and initial checkpoint with what the client algorithm sends beside the model", async (t) => {
    const folder = await temporaryFolder(t);
    const at = (name: string) => join(folder, name);
    await writeFile(at("held-out.csv"), "1,2,0\n");
    const prepare = async (
      client: object,
      training: object = { ...RECIPE.training, momentum: 0 },
      optimised = false,
      aggregation: object = RECIPE.aggregation,
    ) => {
      const { serverOptimiser, ...recipe } = RECIPE;
      const server = optimised ? { serverOptimiser } : {};
      await writeFile(at("recipe.yaml"), stringify({ ...recipe, ...server, client, training, aggregation }));
      const [heldOut, out, store] = [at("held-out.csv"), at("run.json"), `helia:${at("store")}`];
      return prepareRunFile({ recipe: at("recipe.yaml"), heldOut, store, initSeed: "s", out });
    };
    await prepare({ name: "fedmeta", learnRates: true, innerRate: 0.25 });
    const request = await readRunRequest(at("run.json"));
    const store = await openStore({ kind: "helia", folder: at("store"), listen: [] });
    t.after(() => store.close());
    const read = (digest: `0x${string}`): Promise<Uint8Array> =>
      store.get(contentIdOfDigest(digest), { maxBytes: 1 << 20, timeoutMs: 0 });
    const { recipe, layout } = decodeRecipe(await read(request.recipeCid));
    assert.deepEqual(recipe.layout.at(-1), { name: "fedmeta.rates", shape: [6], fractionBits: 18, group: 0 });
    const checkpoint = await read(request.initialCheckpointCid);
    const { view } = splitMaster(decodeCheckpoint(checkpoint, { layout, recipe }).master, layout);
    assert.deepEqual([...view.subarray(6)], new Array(6).fill(0.25));

    for (const [client, training, message] of [
      [{ name: "scaffold" }, RECIPE.training, /option II .* set momentum to 0/],
      [{ name: "adapters" }, undefined, /The logistic model has no adapters to train/],
      [{ name: "lora", rank: 1, mode: "naive" }, undefined, /every score would be 0\. Take mode "stack"/],
      [{ name: "partial", local: ["layer1.weight", "layer1.bias"] }, undefined, /members would train alone/],
      [{ name: "functional", samples: 3 }, undefined, /moves predictions and no model/],
      [{ name: "fedavg" }, { ...RECIPE.training, localEpochs: 1 }, /state exactly one of localSteps and localEpochs/],
    ] as const)
      await assert.rejects(prepare(client, training), { code: "BAD_CONFIG", message });
    await assert.rejects(prepare({ name: "scaffold" }, undefined, true), { message: /Leave serverOptimiser out/ });

    // A rule that weighs tensor by tensor has a column of weights for each.
    const aggregation = { rule: "mean-of-senders", parameters: { prior: "samples" } };
    await prepare({ name: "partial", budget: 4 }, undefined, false, aggregation);
    const groups = decodeRecipe(await read((await readRunRequest(at("run.json"))).recipeCid)).recipe.layout;
    assert.deepEqual(
      groups.map(({ group }) => group),
      [0, 1],
    );
  });

  it("refuses more columns of weights than a transaction carries", async (t) => {
    const folder = await temporaryFolder(t);
    const at = (name: string) => join(folder, name);
    // 16 hidden layers have 34 tensors: 32 updates make 34 816 bytes of weights.
    const model = { kind: "mlp", inputs: 2, hidden: new Array(16).fill(2), classes: 2, activation: "tanh" };
    const layout = Array.from({ length: 97 }, (_, group) => ({
      name: `t${group}`,
      shape: [1],
      fractionBits: 18,
      group,
    }));
    const prepare = async (changes: object) => {
      await writeFile(at("recipe.yaml"), stringify({ ...RECIPE, ...changes, run: { ...RECIPE.run, capacity: 32 } }));
      await writeFile(at("held-out.csv"), "1,2,0\n");
      const store = `helia:${at("store")}`;
      const [recipe, heldOut, out] = [at("recipe.yaml"), at("held-out.csv"), at("run.json")];
      return prepareRunFile({ recipe, heldOut, store, initSeed: "s", out });
    };
    await assert.rejects(prepare({ layout }), {
      code: "BAD_CONFIG",
      message: /32 × 97 weights, 99328 bytes .* at most 96 groups/,
    });
    const aggregation = { rule: "mean-of-senders", parameters: { prior: "samples" } };
    await prepare({ model, aggregation });
  });

  it("fixes what becomes of residuals, and refuses to where none are kept", async (t) => {
    const folder = await temporaryFolder(t);
    const at = (name: string) => join(folder, name);
    await writeFile(at("held-out.csv"), "1,2,0\n");
    const prepare = async (update: object, changes: object = {}) => {
      await writeFile(at("recipe.yaml"), stringify({ ...RECIPE, ...changes, update: { ...RECIPE.update, ...update } }));
      const [heldOut, out, store] = [at("held-out.csv"), at("run.json"), `helia:${at("store")}`];
      return prepareRunFile({ recipe: at("recipe.yaml"), heldOut, store, initSeed: "s", out });
    };
    const errorFeedback = { decay: 0.9, maxAge: 20 };
    const privacy = {
      ...{ mode: "local", clipNorm: 1, noiseMultiplier: 0.5, budget: { epsilon: 20, delta: 1e-5 } },
      loss: { clip: 4, noiseMultiplier: 5 },
      pipeline: { name: "P2", errorFeedback: false },
    };
    for (const [update, changes, message] of [
      [{ errorFeedback: { ...errorFeedback, decay: 1.1 } }, {}, /update\.errorFeedback\.decay/],
      [{ errorFeedback: { decay: 0.9 } }, {}, /update\.errorFeedback\.maxAge/],
      [{ errorFeedback, codec: { name: "qsgd", levels: 7, blockSize: 2, scaled: false } }, {}, /qsgd is unbiased here/],
      [{ codec: { name: "low-rank", rank: 200 } }, {}, /No tensor of the model is smaller as two factors of rank 200/],
      [{ errorFeedback }, { privacy, aggregation: { rule: "uniform-mean" } }, /privacy has errorFeedback false/],
    ] as const)
      await assert.rejects(prepare(update, changes), { code: "BAD_CONFIG", message });
    await assert.rejects(readFile(at("run.json")), { code: "ENOENT" });

    await prepare({ errorFeedback });
    const request = await readRunRequest(at("run.json"));
    const store = await openStore({ kind: "helia", folder: at("store"), listen: [] });
    t.after(() => store.close());
    const bytes = await store.get(contentIdOfDigest(request.recipeCid), { maxBytes: 1 << 20, timeoutMs: 0 });
    assert.deepEqual(decodeRecipe(bytes).recipe.update.errorFeedback, errorFeedback);
  });

  it("refuses privacy that a chain cannot keep, and says of the rest what a reader should know", async (t) => {
    const folder = await temporaryFolder(t);
    const at = (name: string) => join(folder, name);
    await writeFile(at("held-out.csv"), "1,2,0\n");
    const prepare = async (privacy: object, changes: object = {}) => {
      const recipe = { ...RECIPE, aggregation: { rule: "uniform-mean" }, privacy, ...changes };
      await writeFile(at("recipe.yaml"), stringify(recipe));
      const [heldOut, out, store] = [at("held-out.csv"), at("run.json"), `helia:${at("store")}`];
      return prepareRunFile({ recipe: at("recipe.yaml"), heldOut, store, initSeed: "s", out });
    };
    const common = { clipNorm: 1, noiseMultiplier: 0.5, budget: { epsilon: 20, delta: 1e-5 } };
    const loss = { clip: 4, noiseMultiplier: 5 };
    const local = { mode: "local", ...common, loss, pipeline: { name: "P2", errorFeedback: false } };
    const record = { mode: "record", ...common, loss };
    const dropout = { kind: "mlp", inputs: 2, hidden: [4], classes: 2, activation: "relu", dropout: 0.5 };
    for (const [privacy, changes, message] of [
      [{ mode: "central", ...common, errorFeedback: false }, {}, /Central noise has to stay secret.*Use local noise/],
      [
        { mode: "distributed", ...common, errorFeedback: false, colluders: 0 },
        {},
        /single updates are seen.*Use local/,
      ],
      [local, { aggregation: { rule: "weighted-mean" } }, /weighs updates by sample counts/],
      [record, { client: { name: "fedprox", mu: 0.1 } }, /FedAvg with DP-SGD/],
      [record, { model: dropout }, /knows no dropout/],
    ] as const)
      await assert.rejects(prepare(privacy, changes), { code: "BAD_CONFIG", message });
    await assert.rejects(readFile(at("run.json")), { code: "ENOENT" });
    assert.deepEqual((await prepare({ mode: "none" })).remarks, []);
    assert.deepEqual((await prepare(record)).remarks, ["Sample counts n_i stand in commits; no noise protects them."]);
    const { remarks } = await prepare(local);
    assert.equal(remarks.length, 3);
    assert.match(remarks[2] as string, /Noise on the mean of 4 is 1\.22 times as long as the longest update/);
  });

  it("publishes no held-out set where scoring is attested, and needs one where it is exact", async (t) => {
    const folder = await temporaryFolder(t);
    const at = (name: string) => join(folder, name);
    await writeFile(at("held-out.csv"), "1,2,0\n");
    const prepare = async (mode: string, ...more: string[]) => {
      await writeFile(at("recipe.yaml"), stringify({ ...RECIPE, scoring: { ...RECIPE.scoring, mode } }));
      const args = ["--recipe", at("recipe.yaml"), "--init-seed", "s", "--store", `helia:${at("store")}`];
      return foedus(["run", "prepare", ...args, "--out", at("run.json"), ...more]);
    };
    const { code, stderr } = await prepare("attested");
    assert.equal(code, 0, stderr);
    const request = await readRunRequest(at("run.json"));
    assert.equal(request.scoring, 1);
    const store = await openStore({ kind: "helia", folder: at("store"), listen: [] });
    t.after(() => store.close());
    const bytes = await store.get(contentIdOfDigest(request.recipeCid), { maxBytes: 1 << 20, timeoutMs: 0 });
    assert.deepEqual(decodeRecipe(bytes).recipe.scoring, {
      mode: "attested",
      permutations: 4,
      truncation: 0,
      engine: { package: "onnxruntime-web", version: AGREED_ENGINE.version, batchSize: 8 },
    });

    const published = await prepare("attested", "--held-out", at("held-out.csv"));
    assert.equal(published.code, 2);
    assert.match(published.stderr, /what is prepared is published: leave --held-out out/);
    const without = await prepare("exact");
    assert.equal(without.code, 2);
    assert.match(without.stderr, /Exact scoring needs the public held-out set: --held-out <file>/);
  });

  it("says what is wrong with a recipe, and where to publish", async (t) => {
    const folder = await temporaryFolder(t);
    const recipe = join(folder, "recipe.yaml");
    const heldOut = join(folder, "held-out.csv");
    await writeFile(heldOut, "1,2,0\n");
    const prepare = (store = `helia:${folder}/store`) =>
      foedus([
        "run",
        "prepare",
        "--recipe",
        recipe,
        "--held-out",
        heldOut,
        "--init-seed",
        "s",
        "--store",
        store,
        "--out",
        join(folder, "run.json"),
      ]);
    for (const [change, store, message] of [
      [
        { run: { ...RECIPE.run, rounds: undefined } },
        undefined,
        /recipe\.yaml: "run\.rounds" is missing; docs\/running-a-consortium\.md says what to choose/,
      ],
      [
        { aggregation: { rule: "mean" } },
        undefined,
        /recipe\.yaml: "aggregation\.rule" is not valid .*; write e\.g\. aggregation/,
      ],
      [
        {
          aggregation: {
            rule: "fedatt",
            parameters: { attention: "distance", relative: true, temperature: 1, scope: "model", stepSize: 1 },
          },
        },
        undefined,
        /one attacker takes the model over; choose cosine/,
      ],
      [
        { aggregation: { rule: "fairfed", parameters: { beta: 1, metric: "loss" } } },
        undefined,
        /fairfed decides from memberState, which neither chain nor artifacts give; it is a rule for the laboratory/,
      ],
      [
        { scoring: { ...RECIPE.scoring, method: "exact" }, run: { ...RECIPE.run, capacity: 11 } },
        undefined,
        /at most 10 updates, and run\.capacity is 11/,
      ],
      [
        { scoring: { ...RECIPE.scoring, method: "in-run-second-order", coalitions: "rule" } },
        undefined,
        /scoring\.method in-run-second-order .* asks for no coalitions/,
      ],
      [{ epochs: 3 }, undefined, /recipe\.yaml: "epochs" is unknown; known here are .*model/],
      [
        { model: { kind: "logistic", inputs: 3, classes: 2 } },
        undefined,
        /3 columns instead of 3 features and a label/,
      ],
      [{}, "helia:", /What is published must last: give a store with a folder/],
      [{}, "http://127.0.0.1:1", /What is published must last/],
    ] as const) {
      await writeFile(recipe, stringify({ ...RECIPE, ...change }));
      const { code, stderr } = await prepare(store);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
  });
});
