// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { initialiseParameters } from "../../src/learning/layout.ts";
import { ZERO_WORD } from "../../src/protocol/commitment.ts";
import { FoedusError } from "../../src/protocol/errors.ts";
import type { LedgerReader, RunParams } from "../../src/protocol/ledger.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { prepareRun, type RecipeDraft } from "../../src/round/prepareRun.ts";
import { loadRunContext } from "../../src/round/runContext.ts";
import { demoRecipe } from "../../src/simulation/demoRecipe.ts";
import { openMemoryStore } from "../../src/storage/memoryStore.ts";

/** A prepared run with attested scoring, and what loading it gives when the chain says something else of it. */
async function loading(change: Partial<RunParams> = {}) {
  const store = await openMemoryStore();
  const demo = demoRecipe(4, 2);
  const draft: RecipeDraft = { ...demo, scoring: { ...demo.scoring, mode: "attested" } };
  const prepared = await prepareRun(store, draft, initialiseParameters(draft.model, keyedRandom("runContext")));
  const params = { ...prepared, verifier: "0x01", ...change } as unknown as RunParams;
  const ledger: Partial<LedgerReader> = {
    chainId: 31_337n,
    runView: async () => ({ params, paramsDigest: ZERO_WORD }) as never,
    circuitCapacity: async () => 8,
  };
  return loadRunContext(ledger as LedgerReader, store, 1n);
}

describe("what a run fixes, from chain and store", () => {
  it("is taken when recipe and parameters say the same", async () => {
    const { recipe, params, circuitCapacity } = await loading();
    assert.equal(recipe.scoring.mode, "attested");
    assert.equal(params.scoring, 1);
    assert.equal(circuitCapacity, 8);
    assert.ok(!("heldOutCid" in recipe.scoring), "no held-out set is named");
  });

  for (const [what, change, message] of [
    ["another recipe", { recipeDigest: ZERO_WORD }, /names recipe 0x00/],
    ["another rule", { ruleId: ZERO_WORD }, /rule "byzfed" has id/],
    ["another scoring", { scoring: 0 }, /scoring is attested; run 1 on chain has scoring 0/],
  ] as const) {
    it(`${what} on chain: RECIPE_MISMATCH`, async () => {
      await assert.rejects(loading(change), (error) => {
        assert.ok(error instanceof FoedusError);
        assert.equal(error.code, "RECIPE_MISMATCH");
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
