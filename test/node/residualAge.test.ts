// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { NodeContext } from "../../src/node/nodeContext.ts";
import type { PreparedUpdate } from "../../src/node/nodeState.ts";
import { prepareUpdateOnce } from "../../src/node/round/prepareUpdateOnce.ts";
import type { ErrorFeedbackConfig } from "../../src/protocol/recipe/codecConfig.ts";
import { MemoryNetwork, openMemoryStore } from "../../src/storage/memoryStore.ts";
import { prepareUpdate } from "../../src/update/prepareUpdate.ts";
import { emptyResidual } from "../../src/update/residual.ts";
import { MASTER, OUTCOME, openMember } from "../support/member.ts";
import { ScriptedChain } from "../support/scriptedChain.ts";
import { contextFor, LAYOUT } from "../update/fixtures.ts";

/** Round of the kept update that leaves a residual. */
const KEPT = 7;

describe("what a kept update left unsaid, in the member's next one", () => {
  let resources: AsyncDisposableStack;
  beforeEach(() => {
    resources = new AsyncDisposableStack();
  });
  afterEach(() => resources.disposeAsync());

  async function prepared(node: NodeContext, chain: ScriptedChain): Promise<PreparedUpdate> {
    const update = await prepareUpdateOnce(node, chain.view());
    assert.ok(update !== undefined);
    return update;
  }

  /** A member whose update of round 7 is kept and that next takes part `age` rounds later: what the one left, and what the other leaves. */
  async function returning(age: number, errorFeedback?: ErrorFeedbackConfig) {
    const store = await openMemoryStore(new MemoryNetwork());
    const open = async (chain: ScriptedChain): Promise<NodeContext> => {
      const node = await openMember(chain, store, resources);
      return errorFeedback === undefined
        ? node
        : { ...node, recipe: { ...node.recipe, update: { ...node.recipe.update, errorFeedback } } };
    };
    const before = new ScriptedChain(KEPT);
    const node = await open(before);
    const { nextResidual: left } = await prepared(node, before);
    assert.ok(left !== undefined);
    assert.notDeepEqual(left, emptyResidual(LAYOUT));
    await node.state.close(KEPT, true);
    const now = new ScriptedChain(KEPT + age);
    // Same disk, later round.
    const { nextResidual } = await prepared({ ...(await open(now)), state: node.state }, now);
    return { left, nextResidual };
  }

  /** What an update leaves that starts with `factor` of what the first one left. */
  function leaves(left: Float64Array, factor: number): Float64Array {
    const { codec, bounds } = contextFor();
    const residual = factor === 0 ? emptyResidual(LAYOUT) : left.map((value) => value * factor);
    return prepareUpdate({ delta: OUTCOME.delta, residual, master: MASTER, layout: LAYOUT, codec, bounds })
      .nextResidual;
  }

  for (const [what, age, errorFeedback, factor] of [
    ["whole after one round", 1, undefined, 1],
    ["whole after 50 rounds, where the recipe says nothing", 50, undefined, 1],
    ["nothing after 51", 51, undefined, 0],
    ["halved once, by a member that was not away", 1, { decay: 0.5, maxAge: 3 }, 0.5],
    ["halved for each round", 3, { decay: 0.5, maxAge: 3 }, 0.125],
    ["nothing beyond the recipe's age", 4, { decay: 0.5, maxAge: 3 }, 0],
    ["whole for as long as the recipe says", 1000, { decay: 1, maxAge: 1000 }, 1],
  ] as const)
    it(what, async () => {
      const { left, nextResidual } = await returning(age, errorFeedback);
      assert.deepEqual(nextResidual, leaves(left, factor));
      // Each factor shows in what is left next.
      for (const other of [0, 0.125, 0.5, 1].filter((value) => value !== factor))
        assert.notDeepEqual(nextResidual, leaves(left, other));
    });
});
