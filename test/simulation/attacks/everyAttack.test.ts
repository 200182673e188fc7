// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { referenceKernels } from "../../../src/aggregation/reference/referenceKernels.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import type { AttackName } from "../../../src/simulation/attacks/attackConfig.ts";
import { type FederationConfig, parseCell } from "../../../src/simulation/laboratory/cellConfig.ts";
import { assemble } from "../../../src/simulation/laboratory/federation.ts";
import { simulateRound } from "../../../src/simulation/laboratory/simulateRound.ts";

const engine = await createOnnxNodeEngine({ threads: 1 });
after(() => engine.dispose());

/** Every attack by name; the type says if one is missing. */
const PARAMETERS: { readonly [N in AttackName]: object } = {
  "label-flip": {},
  "gaussian-noise": {},
  negation: {},
  "weight-corruption": {},
  lie: { z: 1.5 },
  "fang-krum": {},
  "fang-trim": {},
  "min-max": {},
  "min-sum": {},
  jaa: { z: 1.5, steps: 2 },
  "free-rider": {},
  replay: {},
  copycat: { disguise: "permutation" },
  sybil: { scale: -1 },
  scaling: {},
  "non-finite": {},
  "report-inflation": {},
};
/** What makes no difference to the model in two rounds: an honest first upload, and a report that this rule does not read. */
const HARMLESS = ["report-inflation"];

async function run(attack: object | undefined) {
  const config = parseCell({
    members: 9,
    rounds: 2,
    data: { name: "s-mix", samples: 270, testSamples: 30, s: 0.7 },
    partition: { kind: "iid" },
    model: { kind: "mlp", hidden: [8], activation: "tanh" },
    training: { localEpochs: 1, batchSize: 10, learningRate: 0.1, momentum: 0 },
    aggregation: { rule: "uniform-mean" },
    ...(attack === undefined ? {} : { attack }),
  }) as FederationConfig;
  const federation = await assemble(config, 5, { engine, dataRoot: "unused" });
  const rounds = [];
  for (const round of [1, 2]) rounds.push(await simulateRound(federation, round, referenceKernels));
  return { federation, rounds };
}

describe("every attack in the laboratory", async () => {
  const clean = (await run(undefined)).federation.master;
  for (const [name, parameters] of Object.entries(PARAMETERS))
    it(`${name} runs through training, coding, verification and the rule`, async () => {
      const { federation, rounds } = await run({ name, count: 2, ...parameters });
      assert.ok(federation.master.every(Number.isFinite));
      assert.equal(federation.attackers?.ids.size, 2);
      for (const { refused, failed, kept } of rounds) {
        assert.equal(failed, undefined);
        // The bomb is refused, everything else is within the run's bounds and for the rule to judge.
        assert.deepEqual(
          new Set(refused.map(({ id }) => id)),
          name === "non-finite" ? federation.attackers?.ids : new Set(),
        );
        assert.equal(kept.length, name === "non-finite" ? 7 : 9);
      }
      assert.equal(
        federation.master.every((value, j) => value === clean[j]),
        HARMLESS.includes(name),
      );
    });
});
