// SPDX-License-Identifier: Apache-2.0
import { chunkLength, type UpdateChunk } from "../../protocol/updateChunk.ts";
import type { Engine } from "./engine.ts";
import { masterMean } from "./masterMean.ts";
import { countingShader, type Statistic, sortingShader } from "./shaders/orderStatistics.ts";
import { dispatchLinear, encodeShader } from "./tilePass.ts";

/** Half a step of the update grid in steps of the master grid. */
const HALF_STEP = 32_768;

export function coordinateMedian(engine: Engine, updates: readonly UpdateChunk[]): Promise<Float64Array> {
  return orderStatistic(engine, updates, { kind: "median" }, 0, (twice) => HALF_STEP * twice);
}

export function trimmedMean(engine: Engine, updates: readonly UpdateChunk[], trim: number): Promise<Float64Array> {
  const kept = updates.length - 2 * trim;
  return orderStatistic(engine, updates, { kind: "trimmed", trim }, trim, (sum) => masterMean(sum, kept));
}

export function meanAroundMedian(
  engine: Engine,
  updates: readonly UpdateChunk[],
  nearest: number,
): Promise<Float64Array> {
  return orderStatistic(engine, updates, { kind: "around", nearest }, nearest, (sum) => masterMean(sum, nearest));
}

/** The device finds an integer for each coordinate; `finish` divides on the processor, where division is exact. */
async function orderStatistic(
  engine: Engine,
  updates: readonly UpdateChunk[],
  statistic: Statistic,
  setting: number,
  finish: (sum: number) => number,
): Promise<Float64Array> {
  const { gpu, tuning } = engine;
  const out = new Float64Array(chunkLength(updates[0] as UpdateChunk));
  const counting = updates.length > tuning.registerUpdates;
  const inHalves = counting && statistic.kind !== "median";
  const code = counting ? countingShader(statistic.kind) : sortingShader(updates.length, statistic);
  const shader = await gpu.pipeline(code);
  await engine.overMatrix(
    updates,
    setting,
    ({ payload: { stride, tile }, buffers, encoder, uploaded }, matrix) => {
      const bytes = (inHalves ? 8 : 4) * stride;
      const results = buffers.storage("results", bytes);
      const pass = encoder.beginComputePass();
      encodeShader(gpu, pass, shader, [uploaded, matrix, { buffer: results, size: bytes }]);
      dispatchLinear(pass, tile.count);
      pass.end();
      return { buffer: results, bytes };
    },
    (results, { tile: { from, count }, stride }) => {
      const sums = new Int32Array(results);
      for (let j = 0; j < count; j++) {
        const sum = inHalves ? (sums[j] as number) * 4_096 + (sums[stride + j] as number) : (sums[j] as number);
        out[from + j] = finish(sum);
      }
    },
  );
  return out;
}
