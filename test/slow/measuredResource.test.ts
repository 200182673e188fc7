// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { tierOf } from "../../src/learning/algorithms/resourceTier.ts";
import { openNode } from "../../src/node/openNode.ts";
import { readNodeConfig, withDevice } from "../../src/node/options.ts";
import { SILENT } from "../../src/protocol/logger.ts";
import { clientSchema } from "../../src/protocol/recipe/clientConfig.ts";
import { openFederation } from "../support/federation.ts";

const tiers = { high: 4, low: 2, min: 1, lowMethod: "hmsdfl" } as const;

describe("a node that measures what its machine can do", () => {
  it("does so on its own engine and shard, by the blocks of the run's chain, before it is ready", async () => {
    await using resources = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), "foedus-measured-"));
    resources.defer(() => rm(folder, { recursive: true, force: true }));
    const { files, ledger } = await openFederation(
      {
        folder,
        seed: "measured",
        members: 4,
        validators: 4,
        rounds: 1,
        auditor: false,
        blockMs: 100,
        recipe: { client: clientSchema.parse({ name: "hmsdfl", tiers }) },
      },
      resources,
    );
    while ((await ledger.blockNumber()) < 40) await ledger.waitForBlockAfter(await ledger.blockNumber());
    const config = await readNodeConfig(files.members[0]?.configFile as string);
    const lines: Record<string, unknown>[] = [];
    const node = await openNode(withDevice({ ...config, resource: "measured" }, "cpu"), {
      logger: { ...SILENT, info: (fields, message) => lines.push({ ...fields, message }) },
      signal: new AbortController().signal,
    });
    await node.close();
    const found = lines.find(({ message }) => message === "measured what this machine can do");
    const { resource, stepsPerSecond, steps, deadlineSeconds, tier } = found as Record<string, number>;
    assert.ok(Number.isFinite(resource) && (resource as number) > 0);
    assert.equal(resource, ((stepsPerSecond as number) * (deadlineSeconds as number)) / (steps as number));
    assert.deepEqual(tier, tierOf(resource as number, 10, tiers));
  });
});
