// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { createProcessEngine, type ProcessEngineOptions } from "../../../../src/learning/engines/process.ts";
import type { LearningError } from "../../../../src/learning/errors.ts";
import { EVALUATION, type LearningEngine, type Model, TRAINING } from "../../../../src/learning/model.ts";

const LIAR = fileURLToPath(new URL("../../../fixtures/lyingEngine.ts", import.meta.url));

const CONFIG = { kind: "logistic", inputs: 3, classes: 2 } as const;
const PARAMETERS = new Float32Array(8);
const BATCH = { features: new Float32Array(3), size: 1 };

const engineWith = (damage: string, options: Partial<ProcessEngineOptions> = {}): Promise<LearningEngine> =>
  createProcessEngine({ command: [process.execPath, LIAR, damage], ...options });

async function withModel(
  damage: string,
  use: (model: Model, engine: LearningEngine) => Promise<void>,
  options: Partial<ProcessEngineOptions> = {},
): Promise<void> {
  const engine = await engineWith(damage, options);
  try {
    await use(await engine.load(CONFIG), engine);
  } finally {
    await engine.dispose();
  }
}

const forward = (model: Model): Promise<unknown> => model.forward(PARAMETERS, BATCH, EVALUATION);

async function refusalOf(work: Promise<unknown>): Promise<LearningError> {
  try {
    await work;
  } catch (error) {
    return error as LearningError;
  }
  return assert.fail("nothing was refused");
}

describe("a process that does not do as the protocol says", () => {
  it("none: zeros come back as they were sent", () =>
    withModel("none", async (model, engine) => {
      assert.equal(engine.name, "process: liar");
      const { logits, features } = await model.forward(PARAMETERS, BATCH, EVALUATION);
      assert.deepEqual([...logits, ...features], [0, 0, 0, 0, 0]);
      assert.equal(model.step, undefined);
    }));

  const FATAL: readonly (readonly [damage: string, reason: RegExp])[] = [
    ["another request", /answered request \d+ when asked/],
    ["another type", /answer to "forward" is not valid/],
    ["unknown field", /note/],
    ["tensor missing", /lacks "features"/],
    ["tensor too many", /holds "weights", which was not asked for/],
    ["wrong shape", /"logits" of shape \[2, 1\]; \[1, 2\] is right/],
    ["payload is no safetensors", /holds no tensors/],
    ["announces too much", /payload of 1099511627776 bytes/],
    ["prints", /announces a/],
    ["ends", /exit code 3.*Traceback: the graphics card is on fire/s],
    ["silent", /did not answer "forward" within 400 ms/],
  ];
  for (const [damage, reason] of FATAL) {
    it(`ENGINE_FAILED: ${damage}; every later call is refused with the same reason`, () =>
      withModel(
        damage,
        async (model, engine) => {
          const first = await refusalOf(forward(model));
          assert.equal(first.code, "ENGINE_FAILED");
          assert.match(first.message, reason);
          assert.equal((await refusalOf(forward(model))).message, first.message);
          assert.equal((await refusalOf(engine.load(CONFIG))).code, "ENGINE_FAILED");
        },
        damage === "silent" ? { timeoutMs: 400 } : {},
      ));
  }

  it("ENGINE_FAILED: answers twice, found at the latest by the next call", () =>
    withModel("answers twice", async (model) => {
      await forward(model).catch(() => {});
      assert.equal((await refusalOf(forward(model))).code, "ENGINE_FAILED");
    }));

  it("ENGINE_FAILED: a gradient for a tensor that is not trained", () =>
    withModel("none", async (model) => {
      const whole = await model.valueAndGradient(PARAMETERS, BATCH, {}, TRAINING);
      assert.deepEqual(whole.gradient, new Float32Array(8).fill(1));
      const refused = await refusalOf(
        model.valueAndGradient(PARAMETERS, BATCH, { trainable: ["layer1.bias"] }, TRAINING),
      );
      assert.equal(refused.code, "ENGINE_FAILED");
      assert.match(refused.message, /gradient for "layer1.weight"/);
    }));

  it("DIVERGED: values that are not finite, and the process goes on", () =>
    withModel("not finite", async (model) => {
      assert.equal((await refusalOf(forward(model))).code, "DIVERGED");
      await model.valueAndGradient(PARAMETERS, BATCH, {}, TRAINING);
    }));

  for (const [damage, code] of [
    ["refuses", "UNSUPPORTED"],
    ["fails", "ENGINE_FAILED"],
  ] as const) {
    it(`${code}: ${damage}, and the process goes on`, () =>
      withModel(damage, async (model) => {
        assert.equal((await refusalOf(forward(model))).code, code);
        await model.valueAndGradient(PARAMETERS, BATCH, {}, TRAINING);
      }));
  }

  for (const damage of ["another layout", "another width"]) {
    it(`UNSUPPORTED: ${damage}`, async () => {
      const engine = await engineWith(damage);
      await assert.rejects(engine.load(CONFIG), { code: "UNSUPPORTED" });
      await engine.dispose();
    });
  }

  it("ENGINE_UNAVAILABLE: no hello, with what the process wrote", () =>
    assert.rejects(engineWith("no hello"), { code: "ENGINE_UNAVAILABLE", message: /No module named 'torch'/ }));

  it("ENGINE_UNAVAILABLE: another version of the protocol", () =>
    assert.rejects(engineWith("another version"), { code: "ENGINE_UNAVAILABLE", message: /protocol/ }));

  it("ENGINE_UNAVAILABLE: no such program, no command", async () => {
    await assert.rejects(createProcessEngine({ command: ["no-such-program-anywhere"] }), {
      code: "ENGINE_UNAVAILABLE",
      message: /ENOENT/,
    });
    await assert.rejects(createProcessEngine({ command: [] }), { code: "ENGINE_UNAVAILABLE" });
  });

  it("errors name the program, not its arguments", async () => {
    const { message, values } = await refusalOf(
      engineWith("no hello", { command: [process.execPath, "-e", "/token/"] }),
    );
    assert.ok(message.includes(process.execPath));
    assert.doesNotMatch(message + JSON.stringify(values), /token/);
  });

  it("the process sees neither passphrases nor Foedus's variables, and is told its threads", async (t) => {
    t.after(() => {
      delete process.env["FOEDUS_PASSPHRASE"];
      delete process.env["MY_PASSPHRASE"];
    });
    process.env["FOEDUS_PASSPHRASE"] = "secret";
    process.env["MY_PASSPHRASE"] = "secret";
    const engine = await engineWith("tells", { hiddenEnvironment: ["MY_PASSPHRASE"], threads: 3 });
    assert.equal(engine.name, "process: [] 3");
    await engine.dispose();
  });
});
