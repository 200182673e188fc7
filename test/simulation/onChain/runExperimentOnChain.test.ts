// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { parseExperiment } from "../../../src/simulation/laboratory/experimentConfig.ts";
import { runExperimentOnChain } from "../../../src/simulation/onChain/runExperimentOnChain.ts";

it("BAD_CONFIG for a log that cannot be written, before any cell starts", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "foedus-chain-log-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "made-up-on-chain", "log.jsonl"), { recursive: true });
  const base = {
    members: 3,
    rounds: 1,
    data: { name: "s-mix", s: 1.2, samples: 90, testSamples: 30 },
    partition: { kind: "iid" },
    model: { kind: "logistic" },
    training: { localEpochs: 1, batchSize: 10, learningRate: 0.1, momentum: 0 },
  };
  const experiment = parseExperiment({ name: "made-up", title: "Made up", seeds: [1], base }, "made-up.yaml");
  const options = { results: folder, dataRoot: folder, signal: new AbortController().signal };
  await assert.rejects(runExperimentOnChain(experiment, options), {
    code: "BAD_CONFIG",
    message: /log\.jsonl cannot be written/,
  });
  assert.deepEqual(await readdir(join(folder, "made-up-on-chain")), ["log.jsonl"]);
});
