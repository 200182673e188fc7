// SPDX-License-Identifier: Apache-2.0
import type { UpdateChunk } from "../../protocol/updateChunk.ts";
import type { GramMatrix } from "../../protocol/wideKernels.ts";
import type { Engine } from "./engine.ts";
import { gramShader, LARGEST_SHADER, LIMBS, PLAN_SHADER, PLAN_WORDS, SPLIT_SHADER, SUMS } from "./shaders/gram.ts";
import { dispatchRows, encodeShader } from "./tilePass.ts";

/** The device itself finds how many limbs each tile needs: asking the processor would make it wait. */
export async function gram(engine: Engine, updates: readonly UpdateChunk[]): Promise<GramMatrix> {
  const { gpu, tuning } = engine;
  const count = updates.length;
  const largest = await gpu.pipeline(LARGEST_SHADER);
  const decide = await gpu.pipeline(PLAN_SHADER);
  const split = await gpu.pipeline(SPLIT_SHADER);
  const multiply = await Promise.all(LIMBS.map((limbs) => gpu.pipeline(gramShader(limbs, tuning.packedDot))));

  const pairs = (count * (count + 1)) / 2;
  const totals = await engine.int64Totals(pairs * SUMS, (sums) =>
    engine.overMatrix(updates, 0, ({ payload: { stride, rows, tile }, buffers, encoder, uploaded }, matrix) => {
      const plan = { buffer: buffers.storage("plan", 4 * PLAN_WORDS), size: 4 * PLAN_WORDS };
      const planes = { buffer: buffers.storage("planes", 4 * rows * stride), size: 4 * rows * stride };
      encoder.clearBuffer(plan.buffer);
      const pass = encoder.beginComputePass();
      encodeShader(gpu, pass, largest, [uploaded, matrix, plan]);
      // A barrier for each workgroup: few of them, and as many coordinates a thread.
      dispatchRows(pass, tile.count, rows, 32);
      encodeShader(gpu, pass, decide, { 0: uploaded, 2: plan });
      pass.dispatchWorkgroups(1);
      encodeShader(gpu, pass, split, [uploaded, matrix, plan, planes]);
      dispatchRows(pass, stride / 4, rows);
      for (const [l, pipeline] of multiply.entries()) {
        encodeShader(gpu, pass, pipeline, [uploaded, planes, sums]);
        pass.dispatchWorkgroupsIndirect(plan.buffer, 4 * (1 + 3 * l));
      }
      pass.end();
      return undefined;
    }),
  );
  return matrixOf(totals, count);
}

/** ⟨x_i, x_k⟩ = Σ_s 256^s T_s. */
function matrixOf(totals: BigInt64Array, count: number): GramMatrix {
  const matrix = Array.from({ length: count }, () => new Array<bigint>(count).fill(0n));
  let at = 0;
  for (let k = 0; k < count; k++) {
    for (let i = 0; i <= k; i++) {
      let product = 0n;
      for (let s = SUMS - 1; s >= 0; s--) product = (product << 8n) + (totals[at + s] as bigint);
      at += SUMS;
      (matrix[i] as bigint[])[k] = product;
      (matrix[k] as bigint[])[i] = product;
    }
  }
  return matrix;
}
