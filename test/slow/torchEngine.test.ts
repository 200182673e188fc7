// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { findPython, pythonCommand } from "../../bench/lib/python.ts";
import { createProcessEngine } from "../../src/learning/engines/process.ts";
import { ALL_MODELS } from "../fixtures/models.ts";
import { engineContract } from "../learning/engine.contract.ts";

const MEMBER = fileURLToPath(new URL("../fixtures/torchMember.py", import.meta.url));

const python = findPython("torch");
const member = (factory: string) => createProcessEngine(pythonCommand(python, [MEMBER, factory]));

describe("process engine with PyTorch", { skip: python.missing }, () => {
  engineContract(() => createProcessEngine(pythonCommand(python, ["-m", "foedus_process", "torch"])), ALL_MODELS);

  describe("a member's own modules, renamed", () => engineContract(() => member("perceptron")));

  for (const factory of ["batch_norm", "dropout"]) {
    it(`UNSUPPORTED: a module with ${factory}, which is no function of parameters and batch`, async () => {
      const engine = await member(factory);
      await assert.rejects(engine.load({ kind: "logistic", inputs: 3, classes: 2 }), { code: "UNSUPPORTED" });
      await engine.dispose();
    });
  }
});
