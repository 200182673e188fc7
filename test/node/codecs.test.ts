// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { prepareUpdateOnce } from "../../src/node/round/prepareUpdateOnce.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import { MemoryNetwork, openMemoryStore } from "../../src/storage/memoryStore.ts";
import { decodeArtifact } from "../../src/update/artifact.ts";
import { verifyArtifact } from "../../src/update/verifyArtifact.ts";
import { judgedBy, openMember, outcomeOf } from "../support/member.ts";
import { ScriptedChain } from "../support/scriptedChain.ts";

/** Codecs that need more than the values: a mask that follows from run and round, a stream to round with, or the layout. */
const CODECS: readonly CodecConfig[] = [
  { name: "randk-int16", blockSize: 4, keep: 5, unbiased: false },
  { name: "randk-int8", blockSize: 4, keep: 5, unbiased: true },
  { name: "qsgd", levels: 15, blockSize: 8, scaled: true },
  { name: "int8", blockSize: 6, rounding: "stochastic" },
  { name: "low-rank", rank: 1 },
];

describe("a node codes its update", () => {
  let resources: AsyncDisposableStack;
  beforeEach(() => {
    resources = new AsyncDisposableStack();
  });
  afterEach(() => resources.disposeAsync());

  for (const codec of CODECS) {
    it(`with ${codec.name}, as validators read it, and the same again from the same streams`, async () => {
      const store = await openMemoryStore(new MemoryNetwork());
      const prepare = async () => {
        const chain = new ScriptedChain(7);
        const member = await openMember(chain, store, resources);
        const recipe = { ...member.recipe, update: { ...member.recipe.update, codec } };
        const prepared = await prepareUpdateOnce({ ...member, recipe }, chain.view());
        assert.ok(prepared !== undefined);
        return prepared;
      };
      const { artifact, commitment } = await prepare();
      assert.equal(outcomeOf(await verifyArtifact(artifact, commitment, { ...judgedBy(1), codec })), "accepted");
      assert.deepEqual(decodeArtifact((await prepare()).artifact).payload, decodeArtifact(artifact).payload);
    });
  }
});
