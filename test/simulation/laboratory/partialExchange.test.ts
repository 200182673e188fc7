// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FederationConfig } from "../../../src/simulation/laboratory/cellConfig.ts";
import { assemble } from "../../../src/simulation/laboratory/federation.ts";
import { simulateRound, type Upload } from "../../../src/simulation/laboratory/simulateRound.ts";
import { laboratory } from "./laboratory.ts";

const { cellOf, surroundings } = laboratory({
  members: 6,
  rounds: 4,
  data: { name: "s-mix", s: 0.7, samples: 180, testSamples: 60 },
  partition: { kind: "dirichlet", alpha: 0.3 },
  model: { kind: "mlp", hidden: [10, 10, 10], activation: "relu" },
  training: { localEpochs: 1, batchSize: 10, learningRate: 0.1, momentum: 0 },
});
const begin = (change: object) =>
  assemble(cellOf(change as Record<string, unknown>).config as FederationConfig, 1, surroundings());

const RULE = { rule: "mean-of-senders", parameters: { prior: "samples" } };
/** Coarse enough that rounding leaves much unsaid. */
const UPDATE = { codec: { name: "int8", blockSize: 16 } };

describe("partial exchange with a budget, round after round", () => {
  it("sends what fits and nothing else, whatever earlier rounds left unsaid, and a tensor moves by the mean of its senders", async () => {
    // Room for all biases and one of the three matrices of 100.
    const budget = 145;
    const federation = await begin({ client: { name: "partial", budget }, aggregation: RULE, update: UPDATE });
    const { layout } = federation;
    assert.deepEqual(
      layout.tensors.map(({ group }) => group),
      layout.tensors.map((_, at) => at),
    );
    const patterns = new Set<string>();
    for (let round = 1; round <= 4; round++) {
      let uploads: readonly Upload[] = [];
      const before = federation.master;
      await simulateRound(federation, round, surroundings().kernels, (accepted) => {
        uploads = accepted;
      });
      const sent = uploads.map(({ prepared: { decoded } }) =>
        layout.tensors.map(({ offset, size }) => decoded.subarray(offset, offset + size).some((q) => q !== 0)),
      );
      for (const one of sent) {
        const coordinates = layout.tensors.reduce((sum, { size }, at) => sum + (one[at] === true ? size : 0), 0);
        assert.ok(coordinates > 0 && coordinates <= budget, `${coordinates} coordinates sent`);
        patterns.add(one.join());
      }
      for (const [at, { offset, size }] of layout.tensors.entries()) {
        const senders = uploads.filter((_, k) => sent[k]?.[at] === true);
        const samples = senders.reduce((sum, upload) => sum + upload.samples, 0);
        for (let j = offset; j < offset + size; j++) {
          const mean =
            senders.reduce((sum, one) => sum + one.samples * (one.prepared.decoded[j] as number), 0) / (samples || 1);
          const moved = ((federation.master[j] as number) - (before[j] as number)) / 65_536;
          // λ is rounded to 2^-16.
          const most = senders.reduce((sum, one) => sum + Math.abs(one.prepared.decoded[j] as number), 0);
          assert.ok(Math.abs(moved - mean) <= most / 65_536, `${moved} is not ${mean}`);
        }
      }
    }
    assert.ok(patterns.size > 1, "members send different tensors");
  });

  it("scores by cosines are refused, which need one weight for an update", () => {
    assert.throws(() => cellOf({ aggregation: RULE, scoring: { method: "cosine" } }), /one weight for a whole update/);
  });
});
