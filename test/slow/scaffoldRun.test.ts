// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { NodeState } from "../../src/node/nodeState.ts";
import { splitMaster } from "../../src/protocol/grid.ts";
import { fetchCheckpoint } from "../../src/round/fetchCheckpoint.ts";
import { loadRunContext } from "../../src/round/runContext.ts";
import { type FinishedRun, finishRun } from "../audit/support.ts";

/** The control variate travels, is coded, aggregated, attested and replayed like the model; the members' own stay with them. */
describe("a whole run of SCAFFOLD on a chain", () => {
  const resources = new AsyncDisposableStack();
  let finished: FinishedRun;
  before(async () => {
    finished = await finishRun(resources, {
      recipe: {
        client: { name: "scaffold", option: "II" },
        training: { localSteps: 40, batchSize: 20, learningRate: 0.1, momentum: 0 },
        update: { codec: { name: "int16", blockSize: 128 }, maxCoordinate: 4 * 2 ** 18, maxNormSq: String(2 ** 48) },
        aggregation: { rule: "weighted-mean" },
      },
    });
  });
  after(() => resources.disposeAsync());

  it("is found in order by an audit", async () => {
    const { ok, failures } = await finished.audit();
    assert.ok(ok, JSON.stringify(failures));
  });

  it("the server's control variate is the mean of the members' own", async () => {
    const context = await loadRunContext(finished.ledger, finished.store, finished.run);
    const names = context.layout.tensors.map(({ name }) => name);
    assert.equal(names.at(-1), "scaffold.control");
    const head = await finished.ledger.runView(finished.run);
    const { master } = await fetchCheckpoint(finished.store, head, context, {});
    const { view } = splitMaster(master, context.layout);
    const control = view.subarray(view.length / 2);
    const own = await Promise.all(
      finished.memberFolders.map((folder) => new NodeState(join(folder, "state"), finished.run).local()),
    );
    const length = Math.sqrt(control.reduce((sum, c) => sum + c * c, 0));
    assert.ok(length > 0.01, `‖c‖ = ${length}`);
    const apart = control.map((c, j) => c - own.reduce((sum, local) => sum + (local["control"]?.[j] ?? 0) / 5, 0));
    // Shards differ by a sample and values are coded, so nearly.
    assert.ok(Math.sqrt(apart.reduce((sum, d) => sum + d * d, 0)) < 0.01 * length);
  });
});
