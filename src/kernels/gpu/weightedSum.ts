// SPDX-License-Identifier: Apache-2.0
import { chunkLength, type UpdateChunk } from "../../protocol/updateChunk.ts";
import type { Engine } from "./engine.ts";
import type { PayloadRow } from "./payload.ts";
import { SPARSE_SUM_SHADER, weightedSumShader } from "./shaders/weightedSum.ts";
import { dispatchLinear, dispatchRows, encodeShader } from "./tilePass.ts";

/** Decoded and added in one go; updates of weight 0 are not even uploaded. */
export async function weightedSum(
  engine: Engine,
  updates: readonly UpdateChunk[],
  weights: Uint32Array,
): Promise<Float64Array> {
  const out = new Float64Array(chunkLength(updates[0] as UpdateChunk));
  const weighted = updates
    .map((chunk, k): PayloadRow => ({ chunk, weight: weights[k] as number }))
    .filter(({ weight }) => weight !== 0);
  if (weighted.length === 0) return out;
  const isSparse = ({ chunk }: PayloadRow): boolean => chunk.kind === "sparse";
  const full = weighted.filter((row) => !isSparse(row));
  const { gpu } = engine;
  const sum = await gpu.pipeline(weightedSumShader(full.every(({ chunk }) => chunk.kind === "dense")));
  const addSparse = await gpu.pipeline(SPARSE_SUM_SHADER);
  await engine.overPayload(
    [...full, ...weighted.filter(isSparse)],
    8,
    ({ payload: { stride, sparseRows, mostEntries }, buffers, encoder, uploaded }) => {
      const sums = buffers.storage("sums", 8 * stride);
      const binding = { buffer: sums, size: 8 * stride };
      const pass = encoder.beginComputePass();
      encodeShader(gpu, pass, sum, [uploaded, uploaded, binding]);
      dispatchLinear(pass, stride / 4);
      if (mostEntries > 0) {
        encodeShader(gpu, pass, addSparse, { 0: uploaded, 2: binding });
        dispatchRows(pass, mostEntries, sparseRows);
      }
      pass.end();
      return { buffer: sums, bytes: 8 * stride };
    },
    (results, { tile: { from, count }, stride }) => {
      const sums = new Int32Array(results);
      for (let j = 0; j < count; j++) out[from + j] = (sums[j] as number) * 4_096 + (sums[stride + j] as number);
    },
  );
  return out;
}
