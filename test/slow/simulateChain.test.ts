// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { CellResult } from "../../src/simulation/laboratory/cellResult.ts";
import { parseExperiment } from "../../src/simulation/laboratory/experimentConfig.ts";
import { runExperiment } from "../../src/simulation/laboratory/runExperiment.ts";
import { runExperimentOnChain } from "../../src/simulation/onChain/runExperimentOnChain.ts";

/**
 * The laboratory claims to be the code of nodes and validators. Here the same cells run both ways: what does not depend on the chain's beacon must come out
 * the same, to the bit, whatever happens at the edges: attackers, refused bytes, memory of members, random codecs, server optimisers.
 */
describe("the same cells in the laboratory and with chain and store", () => {
  const experiment = parseExperiment(
    {
      name: "both",
      title: "Both ways",
      seeds: [1],
      base: {
        members: 5,
        rounds: 3,
        data: { name: "digits" },
        partition: { kind: "dirichlet", alpha: 0.5 },
        localTest: 0.2,
        model: { kind: "mlp", hidden: [16], activation: "relu" },
        training: { localEpochs: 1, batchSize: 20, learningRate: 0.1, momentum: 0 },
      },
      axes: {
        case: {
          plain: {},
          attacked: {
            client: { name: "scaffold" },
            update: { codec: { name: "randk-int16", keep: 400, blockSize: 128, unbiased: false } },
            attack: [
              { name: "label-flip", count: 1 },
              { name: "negation", count: 1, scale: 2, schedule: { from: 2 } },
              { name: "non-finite", count: 1, schedule: { from: 3 } },
            ],
          },
          personal: {
            client: { name: "partial", local: ["layer2.weight", "layer2.bias"] },
            update: { codec: { name: "qsgd", levels: 16, scaled: false, blockSize: 128 } },
            serverOptimiser: { name: "fedadam", learningRate: 0.05, beta1: 0.9, beta2: 0.99, tau: 0.001 },
          },
        },
      },
    },
    "both.yaml",
  );
  let folder: string;
  let laboratory: readonly CellResult[];
  let chain: readonly CellResult[];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "foedus-both-"));
    const options = { results: folder, dataRoot: folder };
    laboratory = await runExperiment(experiment, { ...options, threads: 1 });
    chain = await runExperimentOnChain(experiment, { ...options, signal: new AbortController().signal });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("end in the same model, the same for everybody", () => {
    for (const [i, { labels, head, final, clients, rounds, parameters }] of laboratory.entries()) {
      const same = chain[i] as CellResult;
      assert.equal(same.head, head, labels["case"]);
      assert.deepEqual(
        [same.labels, same.final, same.clients, same.rounds, same.parameters],
        [labels, final, clients, rounds, parameters],
      );
      assert.deepEqual(
        same.points.map(({ round, accuracy, loss }) => [round, accuracy, loss]),
        laboratory[i]?.points.map(({ round, accuracy, loss }) => [round, accuracy, loss]),
      );
    }
    assert.equal(new Set(laboratory.map(({ head }) => head)).size, laboratory.length, "the cases are different ones");
    assert.deepEqual(
      laboratory.map(({ rounds }) => rounds.refused),
      [0, 1, 0],
    );
  });

  it("with an audit in order, gas paid, and artifacts that carry the same payloads", () => {
    for (const [i, { figures, traffic, labels }] of chain.entries()) {
      assert.equal(figures["auditOk"], 1, labels["case"]);
      assert.equal(figures["auditedRounds"], 3);
      assert.ok((figures["gas"] as number) > 3 * (figures["gasPerRound"] as number));
      assert.ok(traffic.uplinkBytes > (laboratory[i]?.traffic.uplinkBytes as number) - 15 * 128);
    }
  });

  it("and results apart from the laboratory's, which neither takes for its own", async () => {
    const lines = async (name: string) =>
      (await readFile(join(folder, name, "results.jsonl"), "utf8")).trim().split("\n").length;
    assert.deepEqual([await lines("both"), await lines("both-on-chain")], [3, 3]);
    assert.ok(chain.every(({ experiment: name }) => name === "both-on-chain"));
    assert.ok(chain.every(({ code }, i) => code !== laboratory[i]?.code));
    const again = await runExperimentOnChain(experiment, {
      results: folder,
      dataRoot: folder,
      signal: new AbortController().signal,
    });
    assert.deepEqual(again, chain, "nothing ran: the seconds are the same too");
  });
});
