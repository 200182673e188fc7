// SPDX-License-Identifier: Apache-2.0
import { describe } from "node:test";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { ALL_MODELS } from "../../fixtures/models.ts";
import { engineContract } from "../engine.contract.ts";

describe("onnxruntime-node engine", () => engineContract(() => createOnnxNodeEngine(), ALL_MODELS));
