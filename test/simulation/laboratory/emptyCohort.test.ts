// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FederationConfig } from "../../../src/simulation/laboratory/cellConfig.ts";
import { assemble } from "../../../src/simulation/laboratory/federation.ts";
import { simulateRound } from "../../../src/simulation/laboratory/simulateRound.ts";
import { CENTRAL, laboratory } from "./laboratory.ts";

const { cellOf, surroundings } = laboratory({
  members: 4,
  rounds: 12,
  participation: 0.25,
  data: { name: "s-mix", s: 1.2, samples: 100, testSamples: 20 },
  partition: { kind: "iid" },
  model: { kind: "logistic" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.2, momentum: 0 },
  aggregation: { rule: "uniform-mean" },
  privacy: { ...CENTRAL, sampling: { kind: "poisson", rate: 0.25, published: false } },
  serverData: { validation: 20 },
});

test("a Poisson sample of nobody releases the noise that the round is charged for", async () => {
  for (const scoring of [undefined, { method: "exact" }]) {
    const change = scoring === undefined ? {} : { scoring };
    const federation = await assemble(cellOf(change).config as FederationConfig, 1, surroundings());
    let empty = 0;
    for (let round = 1; round <= 12; round++) {
      const [before, spent] = [federation.master, federation.privacy?.spent().epsilon as number];
      const { invited, failed, kept } = await simulateRound(federation, round, surroundings().kernels);
      assert.equal(failed, undefined, `round ${round}`);
      assert.ok((federation.privacy?.spent().epsilon as number) > spent);
      if (invited.length > 0) continue;
      empty += 1;
      assert.deepEqual(kept, []);
      assert.ok(federation.master.filter((value, j) => value !== before[j]).length > before.length / 2);
    }
    assert.ok(empty > 0 && empty < 12, `${empty}`);
  }
});
