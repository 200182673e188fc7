// SPDX-License-Identifier: Apache-2.0
import type { UpdateChunk } from "../../protocol/updateChunk.ts";
import type { Engine } from "./engine.ts";
import { NORM_COORDINATES, NORM_SUMS, normsShader } from "./shaders/norms.ts";
import { encodeShader } from "./tilePass.ts";

/** ⟨x_k − z, x_k − z⟩, or ⟨x_k, x_k⟩ without a z. */
export async function squaredNorms(
  engine: Engine,
  updates: readonly UpdateChunk[],
  z?: UpdateChunk,
): Promise<bigint[]> {
  const { gpu } = engine;
  const shader = await gpu.pipeline(normsShader(z !== undefined));
  const totals = await engine.int64Totals(updates.length * NORM_SUMS, (sums) =>
    engine.overMatrix(
      z === undefined ? updates : [...updates, z],
      0,
      ({ payload: { tile }, encoder, uploaded }, matrix) => {
        const pass = encoder.beginComputePass();
        encodeShader(gpu, pass, shader, [uploaded, matrix, sums]);
        pass.dispatchWorkgroups(Math.ceil(tile.count / NORM_COORDINATES), updates.length);
        pass.end();
        return undefined;
      },
    ),
  );
  return updates.map((_, k) => {
    const [high, cross, low] = totals.subarray(NORM_SUMS * k, NORM_SUMS * (k + 1)) as unknown as [
      bigint,
      bigint,
      bigint,
    ];
    return (high << 24n) + (cross << 13n) + low;
  });
}
