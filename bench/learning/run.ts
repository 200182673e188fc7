// SPDX-License-Identifier: Apache-2.0
import { initialiseParameters, vocabularyOf } from "../../src/learning/layout.ts";
import type { Batch, Model, OptimiserState } from "../../src/learning/model.ts";
import { TRAINING } from "../../src/learning/model.ts";
import { composedStep } from "../../src/learning/optimisers/heavyBall.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { type Contender, measureInTurn, timed } from "../lib/measure.ts";
import { ratio, rounded } from "../lib/statistics.ts";
import type { TorchPeer } from "../peers/torchPeer.ts";
import type { BenchEngine } from "./engines.ts";
import { BATCH, type BenchModel } from "./models.ts";
import type { Row } from "./results.ts";

const OPTIONS = { learningRate: 0.05, momentum: 0 };

/** Time is counted in runs of many steps; all the patience there is, since the number of steps bounds each run. */
const PATIENCE = { totalMs: Number.POSITIVE_INFINITY, singleMs: Number.POSITIVE_INFINITY };

export interface ModelPlan {
  readonly engines: readonly BenchEngine[];
  readonly torch: TorchPeer | undefined;
  readonly threads: number;
  readonly repeats: number;
  /** About how long one run takes, ms. */
  readonly runMs: number;
}

/** Rows of one model, and what could not be measured. Contenders are measured in turn, PyTorch among them. */
export async function measureModel(
  { name, config }: BenchModel,
  { engines, torch, threads, repeats, runMs }: ModelPlan,
): Promise<{ rows: Row[]; missing: string[] }> {
  const missing: string[] = [];
  const contenders: Contender[] = [];
  for (const { id, engine } of engines) {
    try {
      contenders.push(await contenderOf(id, stepsOf(await engine.load(config)), runMs));
    } catch (error) {
      missing.push(`${name}, ${id}: ${(error as Error).message}`);
    }
  }
  if (torch !== undefined) {
    await torch.load(name, config, BATCH);
    contenders.push(await contenderOf("pytorch", (steps) => torch.run(name, steps), runMs));
  }
  const measured = await measureInTurn(contenders, repeats);
  const own = measured.get("pytorch")?.ms;
  const rows = [...measured].map(([engine, { ms }]): Row => {
    return { model: name, engine, threads, stepsPerSecond: rounded(1000 / ms), ratioTorch: ratio(own, ms) };
  });
  return { rows, missing };
}

/** Makes so many steps and says how long they took, ms. */
type Steps = (count: number) => Promise<number>;

/** A contender whose runs take about `runMs`, and whose time is that of one step. */
async function contenderOf(id: string, steps: Steps, runMs: number): Promise<Contender> {
  await steps(2);
  const count = Math.max(1, Math.min(5_000, Math.round((3 * runMs) / Math.max(await steps(3), 0.01))));
  return { id, run: async () => (await steps(count)) / count, garbage: id === "tensorflow", patience: PATIENCE };
}

/** Plain SGD on one fixed batch, with the engine's fused step where it has one. */
function stepsOf(model: Model): Steps {
  const random = keyedRandom("learning bench", JSON.stringify(model.config));
  const vocabulary = vocabularyOf(model.config);
  const value = (): number => (vocabulary === undefined ? random.normal() : 1 + random.integerBelow(vocabulary - 1));
  const batch: Batch = {
    features: Float32Array.from({ length: BATCH * model.config.inputs }, value),
    labels: Int32Array.from({ length: BATCH }, () => random.integerBelow(model.config.classes)),
    size: BATCH,
  };
  const step = model.step?.bind(model) ?? composedStep(model);
  let state: OptimiserState = {
    parameters: initialiseParameters(model.config, random),
    velocity: new Float32Array(model.parameterCount),
  };
  return (count) =>
    timed(async () => {
      for (let k = 0; k < count; k++) state = await step(state, batch, OPTIONS, TRAINING);
    });
}
