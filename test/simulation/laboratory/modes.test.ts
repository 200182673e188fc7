// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CellResult } from "../../../src/simulation/laboratory/cellResult.ts";
import { CENTRAL, laboratory, lasting } from "./laboratory.ts";

const base = {
  members: 8,
  rounds: 4,
  data: { name: "s-mix", s: 1.2, samples: 800, testSamples: 200 },
  partition: { kind: "iid" },
  model: { kind: "mlp", hidden: [16], activation: "tanh" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.2, momentum: 0 },
};
const { cellOf, run } = laboratory(base);
const last = ({ points }: CellResult) => points.at(-1) as CellResult["points"][number];

const SCHEDULES = {
  sync: { schedule: { name: "sync" } },
  fedasync: { rounds: 32, schedule: { name: "fedasync" }, evaluate: { every: 8 } },
  fedbuff: { rounds: 10, schedule: { name: "fedbuff", buffer: 4 }, evaluate: { every: 5 } },
  fedqs: { rounds: 10, schedule: { name: "fedqs", buffer: 4, learningRate: 0.2 }, evaluate: { every: 5 } },
} as const;

for (const [name, change] of Object.entries(SCHEDULES)) {
  test(`${name} learns, tells the time, and is repeated exactly`, async () => {
    const result = await run(change);
    assert.ok((result.final.accuracy as number) > 0.5, `${result.final.accuracy}`);
    const times = result.points.map(({ time }) => time as number);
    assert.equal(times[0], 0);
    assert.ok(times.every((time, i) => i === 0 || time > (times[i - 1] as number)));
    assert.equal(last(result).time, result.figures.virtualTime);
    assert.deepEqual(lasting(await run(change)), lasting(result));
  });
}

test("behind the barrier everybody waits for the slowest; without it nobody does", async () => {
  const jitter = 0;
  const barrier = await run({ schedule: { name: "sync", jitter } });
  assert.deepEqual(
    barrier.points.map(({ time }) => time),
    [0, 4, 8, 12, 16],
  );
  assert.equal(barrier.figures.largestStaleness, 0);
  // 32 uploads as well, but 3 + 2 members of 8 do two or four tasks in the slowest's time.
  const free = await run({ rounds: 32, schedule: { name: "fedasync", jitter }, evaluate: { every: 32 } });
  assert.ok((free.figures.virtualTime as number) < 8.5, `${free.figures.virtualTime}`);
  assert.ok((free.figures.meanStaleness as number) > 1);
  // Both moved the model by as many uploads, all of which are counted.
  const bytes = (result: CellResult) => result.traffic.denseUplinkBytes;
  assert.equal(bytes(barrier), 32 * (4 * 1210 + 128));
  assert.equal(bytes(free), bytes(barrier));
});

test("one member behind the barrier trains as it does in rounds", async () => {
  // Its keyed streams differ, but one step with a batch of all its samples is the same step.
  const alone = { members: 1, rounds: 2, training: { localSteps: 1, localEpochs: null, batchSize: 800 } };
  const scheduled = await run({ ...alone, schedule: { name: "sync" } });
  const rounds = await run(alone);
  const close = Math.abs((scheduled.final.loss as number) - (rounds.final.loss as number));
  assert.ok(close < 1e-5, `${close}`);
  assert.ok((last(rounds).loss as number) < (rounds.points[0]?.loss as number));
});

test("what comes too late is discarded, counted, and has been uploaded", async () => {
  const result = await run({ rounds: 20, schedule: { name: "fedasync", maxStaleness: 3 }, evaluate: { every: 20 } });
  assert.ok((result.figures.discarded as number) > 0);
  assert.ok((result.figures.largestStaleness as number) <= 3);
  const uploads = 20 + (result.figures.discarded as number);
  assert.equal(result.traffic.denseUplinkBytes, uploads * (4 * 1210 + 128));
});

test("FedQS's learning rates reach the members: with no change of rates the model is another", async () => {
  const schedule = { name: "fedqs", buffer: 4, learningRate: 0.2 };
  const [asked, fixed] = [
    await run({ rounds: 10, schedule: { ...schedule, rateChange: 0.01 } }),
    await run({ rounds: 10, schedule: { ...schedule, rateChange: 0 } }),
  ];
  assert.equal(asked.figures.virtualTime, fixed.figures.virtualTime, "the clock is the same");
  assert.notEqual(asked.head, fixed.head);
});

test("a schedule's members have their resources: HMSDFL's tiers tell them apart", async () => {
  const change = { rounds: 2, schedule: { name: "sync" }, client: { name: "hmsdfl", tiers: {} } };
  const [fast, slow] = [await run({ ...change, resources: [5] }), await run({ ...change, resources: [0.5] })];
  assert.ok(Number.isFinite(fast.final.loss));
  assert.notEqual(fast.head, slow.head);
});

test("a schedule refuses what needs rounds", async () => {
  const schedule = { name: "fedbuff" };
  for (const [change, reason] of [
    [{ server: { name: "feddf" } }, /server strategy/],
    [{ attack: { name: "negation", count: 1 } }, /cohort/],
    [{ aggregation: { rule: "coordinate-median" } }, /policy/],
    [{ serverOptimiser: { name: "fedavgm", learningRate: 1, momentum: 0.9 } }, /serverOptimiser/],
    [{ participation: 0.5 }, /concurrency/],
    [{ schedule: { name: "fedbuff", concurrency: 9 } }, /number of members/],
    [{ schedule: { name: "fedqs", learningRate: 0.1 } }, /training\.learningRate/],
    [{ update: { downlink: { name: "int8", blockSize: 128 } } }, /downlink/],
    [
      {
        aggregation: { rule: "uniform-mean" },
        privacy: CENTRAL,
      },
      /privacy/,
    ],
  ] as const)
    assert.throws(() => cellOf({ schedule, ...change }), reason);
  await assert.rejects(run({ schedule, client: { name: "scaffold" } }), /beside the model/);
});

test("FLCert-D: groups train apart, the majority votes, and certificates fall with the number of attackers", async () => {
  const server = { name: "flcert-d", groups: 4, assignment: "balanced" };
  const change = { rounds: 6, localTest: 0.2, server, evaluate: { every: 6, ranking: true } };
  const result = await run(change);
  const { certifiedAt1, certifiedAt2, certifiedAt3, groupAccuracy, failedGroupRounds, auroc } = result.figures;
  const accuracy = result.final.accuracy as number;
  assert.ok(accuracy > (groupAccuracy as number), "together they are better than by themselves");
  assert.ok(accuracy >= (certifiedAt1 as number) && (certifiedAt1 as number) > (certifiedAt2 as number));
  // Four votes to none: two members change at most two of them, which ties.
  assert.equal(certifiedAt3, 0);
  assert.equal(failedGroupRounds, 0);
  assert.ok((auroc as number) > 0.7);
  assert.equal(result.final.loss, null);
  assert.equal(result.clients.length, 8);
  assert.deepEqual(lasting(await run(change)), lasting(result));
});

test("an ensemble holds against what ruins one model, and its groups' attackers know their group alone", async () => {
  const attack = { name: "negation", count: 1, scale: 30 };
  const one = await run({ rounds: 6, attack });
  const server = { name: "flcert-d", groups: 4, assignment: "balanced" };
  const voted = await run({ rounds: 6, attack, server });
  assert.ok((voted.final.accuracy as number) > (one.final.accuracy as number) + 0.2);
});

test("FLCert-P: members are in several groups, each with its own memory of them", async () => {
  const server = { name: "flcert-p", groups: 12, groupSize: 2 };
  const result = await run({ rounds: 3, server, evaluate: { every: 3 } });
  assert.ok((result.figures.certifiedAt1 as number) <= (result.final.accuracy as number));
  assert.ok((result.final.accuracy as number) > 0.3);
  assert.equal(result.traffic.denseUplinkBytes, 12 * 2 * 3 * (4 * 1210 + 128));
});

test("a cohort that leaves groups without members fails those and not the round", async () => {
  const server = { name: "flcert-d", groups: 4, assignment: "balanced" };
  const { rounds, figures } = await run({ participation: 0.25, server });
  assert.deepEqual({ finalised: rounds.finalised, failed: rounds.failed }, { finalised: 4, failed: 0 });
  assert.ok((figures.failedGroupRounds as number) >= 8, "two members are in at most two of four groups");
  assert.throws(() => cellOf({ server, evaluate: { jacobianSamples: 5 } }), /Jacobian/);
  assert.throws(() => cellOf({ server, schedule: { name: "sync" } }), /no rounds/);
});

test("ranking: of two classes the second against the first, of more each against the rest", async () => {
  const two = { data: { name: "s-mix", s: 0.4, classes: 2, samples: 400, testSamples: 200 }, rounds: 3 };
  const { figures, final } = await run({ ...two, evaluate: { ranking: true } });
  assert.ok((figures.auroc as number) > (final.accuracy as number), "an area says more than one threshold");
  assert.ok((figures.detectionAtFpr5 as number) > 0.1 && (figures.detectionAtFpr5 as number) < 1);
  assert.ok(Math.abs((figures.macroF1 as number) - (final.accuracy as number)) < 0.05);
  const many = await run({ evaluate: { ranking: true } });
  assert.ok((many.figures.auroc as number) > 0.9);
  assert.deepEqual((await run({})).figures, {});
});

test("the margin of the final model is measured where it is asked for, beside the Jacobian norm", async () => {
  const one = await run({ rounds: 2, evaluate: { marginSamples: 40, jacobianSamples: 5 } });
  assert.ok((one.figures.marginDistance as number) > 0, `${one.figures.marginDistance}`);
  assert.ok((one.final.jacobian as number) > 0);
  // A model without skill has samples on the wrong side, which count negative.
  const wrong = await run({ rounds: 1, training: { learningRate: 1e-6 }, evaluate: { marginSamples: 40 } });
  assert.ok((wrong.figures.marginDistance as number) < 0, `${wrong.figures.marginDistance}`);
  assert.equal((await run({ rounds: 1 })).figures.marginDistance, undefined);
  assert.throws(
    () => cellOf({ server: { name: "flcert-d", groups: 2 }, evaluate: { marginSamples: 40 } }),
    /marginSamples/,
  );
});

test("candidate servers set the clock and change nothing of what is learned", async () => {
  const candidates = [
    { name: "near", bandwidth: 50_000, outages: [{ from: 6, to: 60 }] },
    { name: "far", bandwidth: 5_000 },
  ];
  const greedy = { name: "fedadass", deadline: 10, explore: { kind: "epsilon-greedy", epsilon: 0 } };
  const [plain, fixed, chosen] = [
    await run({}),
    await run({ servers: { candidates, choose: { name: "fixed", server: "near" } } }),
    await run({ servers: { candidates, choose: greedy } }),
  ];
  assert.equal(fixed.head, plain.head);
  assert.equal(chosen.head, plain.head);
  assert.ok((chosen.figures.virtualTime as number) < (fixed.figures.virtualTime as number));
  assert.ok((fixed.figures.waitedSeconds as number) > 40);
  assert.deepEqual([chosen.figures.handOvers, chosen.figures.failovers, chosen.figures.waitedSeconds], [1, 1, 0]);
  assert.equal((chosen.figures["roundsAt-near"] as number) + (chosen.figures["roundsAt-far"] as number), 4);
  assert.equal(last(chosen).time, chosen.figures.virtualTime);
  assert.ok(plain.points.every(({ time }) => time === null));
  for (const [change, why] of [
    [{ schedule: { name: "sync" } }, /a schedule has none/],
    [{ server: { name: "flcert-d", groups: 2 } }, /leave servers out/],
  ] as const)
    assert.throws(() => cellOf({ servers: { candidates, choose: greedy }, ...change }), why);
});

test("a codec of factors is refused where no tensor is smaller as factors, either way", async () => {
  const codec = { name: "low-rank", rank: 16 };
  for (const update of [{ codec }, { downlink: codec }])
    await assert.rejects(run({ update }), { code: "BAD_CONFIG", message: /No tensor of the model is smaller/ });
  assert.ok((await run({ update: { codec: { name: "low-rank", rank: 1 } } })).traffic.uplinkBytes > 0);
});
