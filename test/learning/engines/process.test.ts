// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { findPython, pythonCommand } from "../../../bench/lib/python.ts";
import { localAlgorithm } from "../../../src/learning/algorithms/table.ts";
import { encodeFrame } from "../../../src/learning/engines/process/frames.ts";
import { createProcessEngine } from "../../../src/learning/engines/process.ts";
import { EVALUATION } from "../../../src/learning/model.ts";
import { concatBytes } from "../../../src/protocol/bytes.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";
import { ALL_MODELS, PERCEPTRONS } from "../../fixtures/models.ts";
import { clusters, gaussian, referenceModel, taskOf } from "../algorithms/models.ts";
import { engineContract } from "../engine.contract.ts";

const python = findPython("numpy");
const numpy = pythonCommand(python, ["-m", "foedus_process"]);

const PRINTING = `
from foedus_process import serve
from foedus_process.numpy_models import NumpyBackend

class Printing(NumpyBackend):
    def load(self, config, layout):
        print("loading", config["kind"], flush=True)
        assert input is not None and open(0).read() == ""
        return super().load(config, layout)

serve(Printing())
`;

/** The first parameter says with which kind of nonsense the model answers; 0 with none. */
const CARELESS = `
import numpy as np
from foedus_process import serve
from foedus_process.numpy_models import NumpyBackend

class Careless:
    def __init__(self, model):
        self.model, self.layout, self.features = model, model.layout, model.features

    def forward(self, parameters, features, phase, masks):
        logits, penultimate = self.model.forward(parameters, features, phase, masks)
        WRONG = {
            1: np.array([object()] * logits.size).reshape(logits.shape),
            2: [[1, 2], [3]],
            3: "logits",
            4: None,
            5: logits * 1j,
            6: np.full(logits.shape, np.nan),
        }
        return WRONG.get(int(parameters[0]), logits), penultimate

class CarelessBackend(NumpyBackend):
    def load(self, config, layout):
        model = Careless(super().load(config, layout))
        if config["classes"] == 3:
            model.features = np.int64(2)
        return model

serve(CarelessBackend())
`;

/** From its second step or gradient on, one value of what `argv` names is NaN, once; then it computes as before. */
const POISONED = `
import sys
import numpy as np
from foedus_process import serve
from foedus_process.numpy_models import FusedPerceptron, NumpyBackend, Perceptron

class Poison:
    calls = 0

    def poison(self, results):
        self.calls += 1
        if self.calls == 2:
            values = np.array(results[sys.argv[1]], np.float32)
            values.flat[values.size // 2] = np.nan
            results[sys.argv[1]] = values
        return results

class PoisonedGradients(Poison, Perceptron):
    def value_and_gradient(self, *arguments):
        return self.poison(super().value_and_gradient(*arguments))

class PoisonedSteps(Poison, FusedPerceptron):
    def step(self, *arguments):
        return self.poison(super().step(*arguments))

class Backend(NumpyBackend):
    def __init__(self):
        self._model = PoisonedGradients if sys.argv[1] == "gradient" else PoisonedSteps

serve(Backend())
`;

describe("process engine with NumPy", { skip: python.missing }, () => {
  engineContract(() => createProcessEngine(numpy), {
    ...PERCEPTRONS,
    "tanh and dropout": ALL_MODELS["tanh and dropout"] as ModelConfig,
  });

  describe("whole steps in the process", () => {
    const fused = `from foedus_process import serve\nfrom foedus_process.numpy_models import NumpyBackend\nserve(NumpyBackend(True))`;
    engineContract(() => createProcessEngine(pythonCommand(python, ["-c", fused])));
  });

  it("UNSUPPORTED: an architecture that the NumPy side does not have", async () => {
    const engine = await createProcessEngine(numpy);
    const config: ModelConfig = { kind: "lstm", inputs: 3, steps: 1, channels: 3, hidden: 4, layers: 1, classes: 2 };
    await assert.rejects(engine.load(config), { code: "UNSUPPORTED", message: /no 'lstm' models/ });
    await engine.dispose();
  });

  it("a member's program may print, and what it reads is empty", async () => {
    const engine = await createProcessEngine(pythonCommand(python, ["-c", PRINTING]));
    const model = await engine.load({ kind: "logistic", inputs: 2, classes: 2 });
    const batch = { features: Float32Array.of(1, 2), size: 1 };
    const { logits } = await model.forward(Float32Array.of(1, 0, 0, 1, 0.5, 0), batch, EVALUATION);
    assert.deepEqual([...logits], [1.5, 2]);
    await engine.dispose();
  });

  describe("a member's program that answers what is no tensor", () => {
    const batch = { features: Float32Array.of(1, 2), size: 1 };
    const bad = { "an array of objects": 1, "rows of several lengths": 2, text: 3, nothing: 4, "complex numbers": 5 };
    for (const [what, wrong] of Object.entries(bad))
      it(`${what}: the request fails, and the process goes on`, async (t) => {
        const engine = await createProcessEngine(pythonCommand(python, ["-c", CARELESS]));
        t.after(() => engine.dispose());
        const model = await engine.load({ kind: "logistic", inputs: 2, classes: 2 });
        await assert.rejects(model.forward(Float32Array.of(wrong, 0, 0, 1, 0.5, 0), batch, EVALUATION), {
          code: "ENGINE_FAILED",
        });
        const { logits } = await model.forward(Float32Array.of(0, 0, 0, 1, 0.5, 0), batch, EVALUATION);
        assert.deepEqual([...logits], [0.5, 2]);
      });

    it("NaN travels and is named, and a header that is no JSON is a failure too", async (t) => {
      const engine = await createProcessEngine(pythonCommand(python, ["-c", CARELESS]));
      t.after(() => engine.dispose());
      await assert.rejects(engine.load({ kind: "logistic", inputs: 2, classes: 3 }), { code: "ENGINE_FAILED" });
      const model = await engine.load({ kind: "logistic", inputs: 2, classes: 2 });
      const diverging = model.forward(Float32Array.of(6, 0, 0, 1, 0.5, 0), batch, EVALUATION);
      await assert.rejects(diverging, { code: "DIVERGED" });
      const { logits } = await model.forward(Float32Array.of(0, 0, 0, 1, 0.5, 0), batch, EVALUATION);
      assert.deepEqual([...logits], [0.5, 2]);
    });
  });

  describe("DIVERGED: one NaN in what a step comes from, and a training after it is as if it had not been", () => {
    const shard = clusters(24);
    const plan = { localSteps: 4, batchSize: 8, learningRate: 0.1, momentum: 0.9 };
    for (const poisoned of ["gradient", "velocity", "parameters", "loss"])
      it(poisoned, async (t) => {
        const engine = await createProcessEngine(pythonCommand(python, ["-c", POISONED, poisoned]));
        t.after(() => engine.dispose());
        const model = await engine.load({ kind: "mlp", inputs: 4, hidden: [5], classes: 3, activation: "relu" });
        assert.equal(model.step === undefined, poisoned === "gradient");
        const start = gaussian(model.parameterCount);
        const algorithm = localAlgorithm(undefined, plan, model);
        await assert.rejects(algorithm.train(taskOf(start, shard)), {
          code: "DIVERGED",
          message: new RegExp(`NaN at place \\d+ of "${poisoned}"`),
        });
        const { delta } = await algorithm.train(taskOf(start, shard));
        const same = localAlgorithm(undefined, plan, referenceModel(model.config));
        const expected = (await same.train(taskOf(start, shard))).delta;
        for (const [i, value] of delta.entries()) assert.ok(Math.abs(value - (expected[i] as number)) < 1e-5);
      });
  });

  it("ENGINE_UNAVAILABLE: a device that NumPy does not have", () =>
    assert.rejects(createProcessEngine({ ...numpy, device: "cuda" }), { code: "ENGINE_UNAVAILABLE", message: /cuda/ }));

  const [program, ...args] = numpy.command as [string, ...string[]];
  const WRONG: Readonly<Record<string, readonly [input: Uint8Array, said: RegExp]>> = {
    "the input ends within a frame": [Uint8Array.of(20, 0, 0), /the input ends within a message/],
    "a payload beyond all models": [Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0), /8589934592 of payload/],
    "a header beyond the bound": [new Uint8Array(12).fill(255, 0, 4), /announces 4294967295 bytes/],
    "a header that is no object": [Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 91, 93), /no object/],
  };
  for (const [damage, [input, said]] of Object.entries(WRONG)) {
    it(`the Python side ends: ${damage}`, () => {
      const { status, stderr } = spawnSync(program, args, { input, encoding: "utf8" });
      assert.equal(status, 1);
      assert.match(stderr, said);
    });
  }

  it("the Python side refuses what it does not know, and ends with its input", () => {
    const asked = [
      { type: "hello", id: 0, protocol: 2 },
      { type: "forward", id: 1, model: 7 },
      { type: "dance", id: 2 },
    ];
    const input = concatBytes(...asked.flatMap((header) => encodeFrame(header, [])));
    const { status, stdout } = spawnSync(program, args, { input });
    assert.equal(status, 0);
    const errors = stdout.toString("latin1").match(/"code": "\w+"/g);
    assert.deepEqual(errors, ['"code": "UNSUPPORTED"', '"code": "FAILED"', '"code": "FAILED"']);
  });
});
