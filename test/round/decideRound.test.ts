// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { referenceKernels } from "../../src/aggregation/reference/referenceKernels.ts";
import { AGREED_ENGINE, type AgreedEngine, createAgreedEngine } from "../../src/learning/engines/agreed.ts";
import { initialiseParameters, parameterLayout } from "../../src/learning/layout.ts";
import { type Hex, toHex } from "../../src/protocol/bytes.ts";
import { type Checkpoint, decodeCheckpoint, modelRoot } from "../../src/protocol/checkpoint.ts";
import { ZERO_WORD } from "../../src/protocol/commitment.ts";
import { masterFromFloat } from "../../src/protocol/grid.ts";
import { keccak256 } from "../../src/protocol/hash.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import type { CommitRecord } from "../../src/protocol/ledger.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { ModelConfig } from "../../src/protocol/recipe/modelConfig.ts";
import { type Recipe, serverOptimiserOf } from "../../src/protocol/recipe.ts";
import { initialServerState } from "../../src/protocol/serverState.ts";
import type { WideKernels } from "../../src/protocol/wideKernels.ts";
import { type Decision, decideRound, type Machinery } from "../../src/round/decideRound.ts";
import type { RunContext } from "../../src/round/runContext.ts";
import type { Scorer } from "../../src/round/scoreUpdates.ts";
import { BEACON, cloud, updatesOf } from "../aggregation/fixtures.ts";

const MODEL: ModelConfig = { kind: "logistic", inputs: 2, classes: 2 };
const LAYOUT = modelLayout(
  parameterLayout(MODEL).map(({ name, shape }) => ({ name, shape: [...shape], fractionBits: 18, group: 0 })),
);
const ADAM = {
  serverOptimiser: { name: "fedadam", learningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 0.001 },
} as const;

/** As much of a run as deciding a round looks at. */
function contextOf(part: Pick<Recipe, "serverOptimiser">): RunContext {
  const recipe = {
    model: MODEL,
    aggregation: { rule: "weighted-mean" },
    scoring: { permutations: 4, truncation: 0 },
    ...part,
  };
  return { run: 1n, params: { alphaQ16: 58_982 }, recipe, layout: LAYOUT } as unknown as RunContext;
}

function startOf(part: Pick<Recipe, "serverOptimiser">): Checkpoint {
  const parameters = initialiseParameters(MODEL, keyedRandom("decideRound"));
  return {
    master: masterFromFloat(parameters, LAYOUT),
    state: initialServerState(serverOptimiserOf(part), LAYOUT.size),
  };
}

describe("decideRound", () => {
  let engine: AgreedEngine;
  let scorer: Scorer;
  before(async () => {
    engine = await createAgreedEngine({ package: "onnxruntime-web", version: AGREED_ENGINE.version, batchSize: 4 });
    const features = Float32Array.of(1, 0, 0, 1, 2, 1, -1, 1);
    const heldOut = { features, labels: Int32Array.of(0, 1, 0, 1), inputs: 2, classes: 2, size: 4 };
    scorer = { model: await engine.load(MODEL), heldOut };
  });
  after(() => engine.dispose());

  /** Round `round` on its own keyed updates of four members. */
  const decide = (
    part: Pick<Recipe, "serverOptimiser">,
    parent: Checkpoint,
    round: number,
    closing = false,
    machinery: Partial<Machinery> = {},
  ): Promise<Decision> => {
    const updates = updatesOf(cloud(keyedRandom("updates", round), 4, LAYOUT.size, 5_000, 20_000)).map(
      (verified, commitIndex) => ({
        verified,
        commit: {
          commitIndex,
          commitment: {
            memberId: verified.memberId,
            artifactDigest: ZERO_WORD,
            artifactCid: ZERO_WORD,
            samples: verified.samples,
            lossCommitment: 0n,
          },
        } as unknown as CommitRecord,
      }),
    );
    return decideRound(
      contextOf(part),
      { scorer, kernels: referenceKernels, ...machinery },
      {
        round,
        closing,
        head: ZERO_WORD,
        parent,
        parentModelRoot: ZERO_WORD,
        parentCheckpointCid: ZERO_WORD,
        accepted: 0b1111n,
        beacon: BEACON,
        updates,
        reputations: updates.map(() => 65_536),
        reportedLoss: 0,
      },
      async (file): Promise<Hex> => toHex(keccak256(file)),
    );
  };

  it("a signal ends it while it aggregates, and while it scores", async () => {
    for (const calls of [1, 3]) {
      const controller = new AbortController();
      let called = 0;
      const weightedSum: WideKernels["weightedSum"] = (...input) => {
        if (++called === calls) controller.abort(new Error("stopped by its operator"));
        return referenceKernels.weightedSum(...input);
      };
      const machinery = { kernels: { ...referenceKernels, weightedSum }, signal: controller.signal };
      await assert.rejects(decide({}, startOf({}), 1, false, machinery), /stopped by its operator/);
      assert.equal(called, calls);
    }
  });

  it("leaves the server optimiser out of the scores, the kept set and the weights", async () => {
    const [plain, adaptive] = [await decide({}, startOf({}), 1), await decide(ADAM, startOf(ADAM), 1)];
    assert.deepEqual(adaptive.scores, plain.scores);
    assert.ok(
      plain.scores.some((score) => score !== 0),
      "scores that are all 0 would not tell",
    );
    assert.deepEqual([adaptive.result.kept, adaptive.weights], [plain.result.kept, plain.weights]);
    assert.notDeepEqual(adaptive.model.master, plain.model.master);
  });

  it("binds the state: the checkpoint holds it, and modelRoot is the checkpoint's", async () => {
    const { model, checkpoint, result } = await decide(ADAM, startOf(ADAM), 1);
    assert.notDeepEqual(model.state, startOf(ADAM).state);
    assert.deepEqual(decodeCheckpoint(checkpoint as Uint8Array, contextOf(ADAM)), model);
    assert.equal(result.modelRoot, toHex(modelRoot(checkpoint as Uint8Array)));
  });

  it("goes on from a stored checkpoint as if it had never stopped, and from no other state", async () => {
    const first = await decide(ADAM, startOf(ADAM), 1);
    const stored = decodeCheckpoint(first.checkpoint as Uint8Array, contextOf(ADAM));
    const onwards = await decide(ADAM, first.model, 2);
    assert.deepEqual((await decide(ADAM, stored, 2)).result, onwards.result);
    const forgetful = await decide(ADAM, { ...stored, state: startOf(ADAM).state }, 2);
    assert.notEqual(forgetful.result.modelRoot, onwards.result.modelRoot);
  });

  it("changes neither model nor state in a closing round", async () => {
    const parent = (await decide(ADAM, startOf(ADAM), 1)).model;
    const { model, checkpoint, result } = await decide(ADAM, parent, 2, true);
    assert.equal(model, parent);
    assert.equal(checkpoint, undefined);
    assert.deepEqual([result.kept, result.updateNormSq, result.modelRoot], [0n, 0n, ZERO_WORD]);
  });
});
