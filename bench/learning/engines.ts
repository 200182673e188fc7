// SPDX-License-Identifier: Apache-2.0
import { createOnnxNodeEngine } from "../../src/learning/engines/onnxNode.ts";
import { createProcessEngine } from "../../src/learning/engines/process.ts";
import { createTensorflowEngine } from "../../src/learning/engines/tensorflow.ts";
import type { LearningEngine } from "../../src/learning/model.ts";
import { findPython, pythonCommand } from "../lib/python.ts";

export interface BenchEngine {
  readonly id: string;
  readonly engine: LearningEngine;
}

/** How each engine is opened; rejects with the reason where it cannot be. */
const ENGINES: Readonly<Record<string, (threads: number) => Promise<LearningEngine>>> = {
  "onnxruntime-node": (threads) => createOnnxNodeEngine({ threads }),
  async tensorflow(threads) {
    const engine = await createTensorflowEngine({ device: "cpu", threads });
    if (threads > 1 && /, (?:wasm|cpu)\b/.test(engine.name)) throw new Error(`${engine.name} has one thread`);
    return engine;
  },
  "process-numpy": (threads) => pythonEngine("numpy", threads),
  "process-torch": (threads) => pythonEngine("torch", threads),
};

function pythonEngine(library: "numpy" | "torch", threads: number): Promise<LearningEngine> {
  const python = findPython(library);
  if (python.missing !== false) throw new Error(python.missing);
  return createProcessEngine({ ...pythonCommand(python, ["-m", "foedus_process", library]), threads });
}

/** The engines that work here, with the reasons of those that do not. */
export async function openEngines(threads: number): Promise<{ engines: BenchEngine[]; missing: string[] }> {
  const engines: BenchEngine[] = [];
  const missing: string[] = [];
  for (const [id, open] of Object.entries(ENGINES)) {
    try {
      engines.push({ id, engine: await open(threads) });
    } catch (error) {
      missing.push(`${id}, threads ${threads}: ${(error as Error).message}`);
    }
  }
  return { engines, missing };
}
