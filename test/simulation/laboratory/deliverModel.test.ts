// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { joinMaster, MASTER_LIMIT } from "../../../src/protocol/grid.ts";
import type { ModelLayout } from "../../../src/protocol/layout.ts";
import type { CodecConfig } from "../../../src/protocol/recipe/codecConfig.ts";
import type { FederationConfig } from "../../../src/simulation/laboratory/cellConfig.ts";
import type { Delivery } from "../../../src/simulation/laboratory/deliverModel.ts";
import { assemble, type Federation } from "../../../src/simulation/laboratory/federation.ts";
import { type RoundFacts, simulateRound, type Upload } from "../../../src/simulation/laboratory/simulateRound.ts";
import { Traffic } from "../../../src/simulation/laboratory/traffic.ts";
import { applyDownlink } from "../../../src/update/downlink.ts";
import { CENTRAL, laboratory } from "./laboratory.ts";

const { cellOf, run, surroundings } = laboratory({
  members: 8,
  participation: 0.5,
  rounds: 12,
  data: { name: "s-mix", s: 1.2, samples: 320, testSamples: 40 },
  partition: { kind: "dirichlet", alpha: 0.5 },
  model: { kind: "mlp", hidden: [12], activation: "tanh" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.2, momentum: 0 },
  aggregation: { rule: "uniform-mean" },
  evaluate: { every: 12 },
});

const TOPK = { name: "topk-int16", keep: 40, blockSize: 64 } as const;
const CODECS: readonly CodecConfig[] = [
  TOPK,
  { name: "randk-int8", keep: 60, blockSize: 64, unbiased: false },
  { name: "qsgd", levels: 15, blockSize: 512, scaled: true },
  { name: "low-rank", rank: 1 },
];

/** What a member holds: only what it was sent makes it. */
class Replica {
  master: Float64Array | undefined;

  apply(delivery: Delivery, layout: ModelLayout, codec: CodecConfig): Float64Array {
    if (delivery.kind === "model") this.master = joinMaster(delivery.state, new Int16Array(layout.size), layout);
    else
      for (const { round, payload } of delivery.movements)
        this.master = applyDownlink(this.master as Float64Array, payload, {
          layout,
          codec,
          place: { run: 1n, round },
        });
    return this.master as Float64Array;
  }
}

interface Watched {
  readonly head: Float64Array;
  readonly facts: RoundFacts;
  readonly accepted: readonly Upload[];
}

/** Runs a cell's rounds with members that hold nothing but what they were sent, and shows each round. */
async function follow(
  change: Readonly<Record<string, unknown>>,
  onRound: (federation: Federation, round: Watched) => void = () => {},
): Promise<{ federation: Federation; traffic: Traffic; ways: Set<string> }> {
  const config = cellOf(change).config as FederationConfig;
  const federation = await assemble(config, 1, surroundings());
  const traffic = new Traffic(federation);
  const replicas = new Map(federation.members.map(({ id }) => [id, new Replica()]));
  const ways = new Set<string>();
  for (let round = 1; round <= config.rounds; round++) {
    const head = federation.master;
    let accepted: readonly Upload[] = [];
    const facts = await simulateRound(federation, round, surroundings().kernels, (uploads) => {
      accepted = uploads;
    });
    const delivered = facts.delivered as ReadonlyMap<number, Delivery>;
    assert.deepEqual(
      [...delivered.keys()],
      facts.invited.map(({ id }) => id),
    );
    for (const [id, delivery] of delivered) {
      ways.add(delivery.kind === "model" ? "model" : `${delivery.movements.length} movements`);
      const master = (replicas.get(id) as Replica).apply(delivery, federation.layout, config.update.downlink as never);
      assert.deepEqual(master, head, `member ${id} in round ${round}`);
    }
    traffic.add(facts);
    onRound(federation, { head, facts, accepted });
  }
  return { federation, traffic, ways };
}

for (const codec of CODECS)
  test(`${codec.name}: whoever was away has the server's model to the last bit, by what it was sent alone`, async () => {
    for (const history of [1, 20]) {
      let wanted: Float64Array | undefined;
      let first: Float64Array | undefined;
      const { federation, ways } = await follow(
        { update: { downlink: { ...codec, history } } },
        ({ layout }, { head, accepted }) => {
          first ??= head;
          wanted ??= new Float64Array(layout.size);
          // The mean of four: λ is 2^14 for each, exactly.
          assert.equal(accepted.length, 4);
          for (const { prepared } of accepted)
            for (const [j, q] of prepared.decoded.entries()) wanted[j] = (wanted[j] as number) + 16_384 * q;
        },
      );
      const moved = federation.master.map((m, j) => m - (first?.[j] as number));
      const { residual } = federation.downlink as NonNullable<Federation["downlink"]>;
      assert.deepEqual(
        moved.map((v, j) => v + (residual[j] as number)),
        wanted,
        "Σv + E = η·ΣΔ",
      );
      assert.ok(moved.some((v) => v !== 0));
      assert.ok(ways.has("model") && ways.has("1 movements"), [...ways].join());
      assert.equal(ways.has("2 movements"), history > 1, "one round away");
      assert.ok([...ways].every((way) => way === "model" || Number.parseInt(way, 10) <= history));
    }
  });

test("bytes down are those of what each was sent, and nobody pays who is not invited", async () => {
  const sums = new Map<number, number>();
  const invitations = new Map<number, number>();
  const { federation, traffic } = await follow(
    { update: { downlink: { ...TOPK, history: 2 } } },
    (federation, { facts }) => {
      for (const [id, delivery] of facts.delivered ?? []) {
        const bytes =
          delivery.kind === "model"
            ? delivery.state.byteLength
            : delivery.movements.reduce((sum, { payload }) => sum + payload.byteLength, 0);
        if (delivery.kind === "movements") assert.ok(bytes <= 4 * federation.layout.size);
        sums.set(id, (sums.get(id) ?? 0) + bytes);
        invitations.set(id, (invitations.get(id) ?? 0) + 1);
      }
    },
  );
  const { clients, federation: all } = traffic.report();
  for (const { id } of federation.members) assert.equal(clients.get(id)?.down ?? 0, sums.get(id) ?? 0);
  assert.equal(
    all.down,
    [...sums.values()].reduce((sum, one) => sum + one),
  );
  const { members = [], downlinkBytes, uplinkBytes } = traffic.result();
  assert.equal(downlinkBytes, all.down);
  assert.equal(uplinkBytes, all.up);
  assert.deepEqual(
    members.map(({ id, up, down }) => [id, up, down]),
    Array.from(clients, ([id, { up, down }]) => [id, up, down]),
  );
  assert.ok(members.length > 4 && members.every(({ up }) => up > 0));
  const whole = [...invitations.values()].reduce((sum, one) => sum + one) * 4 * federation.layout.size;
  assert.ok(all.down < 0.6 * whole, `${all.down} of ${whole}`);
});

test("movements longer than the model are never sent: a codec that saves too little costs at most what the model does", async () => {
  const wide = { name: "int16", blockSize: 1 };
  const seen = new Set<number>();
  let again = 0;
  const { ways } = await follow({ participation: 0.25, update: { downlink: wide } }, (_, { facts }) => {
    for (const [id, { kind }] of facts.delivered ?? []) {
      if (kind === "model" && seen.has(id)) again += 1;
      seen.add(id);
    }
  });
  assert.ok(again > 0, "with all movements kept, the model is sent to some who have had one");
  assert.deepEqual(
    [...ways].filter((way) => way !== "model" && way !== "0 movements" && way !== "1 movements"),
    [],
  );
  const [coded, plain] = [await run({ update: { downlink: wide } }), await run({})];
  assert.ok(coded.traffic.downlinkBytes <= plain.traffic.downlinkBytes);
});

test("after a failed round nothing is sent to whoever was there, and to others what they still lack", async () => {
  const config = cellOf({ update: { downlink: TOPK } }).config as FederationConfig;
  const federation = await assemble(config, 1, surroundings());
  const { kernels } = surroundings();
  await simulateRound(federation, 1, kernels);
  const head = federation.master;
  const nobody = { rule: "byzfed", parameters: { filter: "tau", tau: 0.001, sizeWeighted: false } };
  Object.assign(federation, { config: cellOf({ update: { downlink: TOPK }, aggregation: nobody }).config });
  const [second, third] = [await simulateRound(federation, 2, kernels), await simulateRound(federation, 3, kernels)];
  assert.ok(second.failed !== undefined && third.failed !== undefined);
  assert.deepEqual(federation.master, head);
  assert.deepEqual(
    federation.downlink?.history.kept.map(({ round }) => round),
    [1],
  );
  const present = new Set(second.delivered?.keys());
  for (const [id, { kind, bytes }] of third.delivered ?? [])
    if (present.has(id)) assert.deepEqual([kind, bytes], ["movements", 0]);
    else assert.ok(bytes > 0);
});

test("rounds whose noise is the server's own move replicas too, also those that nobody came to", async () => {
  const sampling = { kind: "poisson", rate: 0.1, published: false };
  let empty = 0;
  const { federation } = await follow(
    {
      participation: 0.1,
      privacy: { ...CENTRAL, sampling, budget: { epsilon: 1_000, delta: 1e-5 } },
      update: { downlink: TOPK },
    },
    ({ master }, { head, facts }) => {
      if (facts.invited.length > 0) return;
      empty += 1;
      assert.notDeepEqual(master, head);
    },
  );
  assert.ok(empty > 0);
  assert.equal(federation.downlink?.history.kept.length, 12);
});

test("all take part: the model once, then one movement a round", async () => {
  const { ways, traffic, federation } = await follow({
    rounds: 3,
    participation: 1,
    members: 4,
    update: { downlink: TOPK },
  });
  assert.deepEqual([...ways], ["model", "1 movements"]);
  const [first, second] = federation.downlink?.history.kept ?? [];
  const each = 4 * federation.layout.size + (first?.payload.length as number) + (second?.payload.length as number);
  assert.deepEqual(
    [...traffic.report().clients.values()].map(({ down }) => down),
    [each, each, each, each],
  );
});

test("where what was left unsaid would take the model off the grid the round fails and leaves the federation as it was", async () => {
  for (const more of [
    { scoring: { method: "cosine" } },
    { server: { name: "feddf", steps: 1 }, serverData: { samples: 40 } },
  ]) {
    const config = cellOf({ update: { downlink: TOPK }, ...more }).config as FederationConfig;
    const federation = await assemble(config, 1, surroundings());
    const { kernels } = surroundings();
    assert.equal((await simulateRound(federation, 1, kernels)).failed, undefined);
    // Half of the range waits to be said of a coordinate at its end.
    federation.master[0] = MASTER_LIMIT - 2 ** 30;
    assert.ok(federation.downlink);
    federation.downlink.residual[0] = 2 ** 39;
    const { master, previousMaster, serverState, downlink } = federation;
    const values = master.slice();
    const remembered = () =>
      federation.members.map(({ contribution, reputation, lastKept }) => ({ contribution, reputation, lastKept }));
    const before = remembered();

    assert.equal((await simulateRound(federation, 2, kernels)).failed, "GRID_OVERFLOW");
    assert.equal(federation.master, master);
    assert.deepEqual(master, values);
    assert.equal(federation.previousMaster, previousMaster);
    assert.equal(federation.serverState, serverState);
    assert.equal(federation.downlink, downlink);
    assert.deepEqual(remembered(), before);
  }
});
