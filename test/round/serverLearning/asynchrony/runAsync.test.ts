// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { keyedRandom } from "../../../../src/protocol/random.ts";
import { speedClasses } from "../../../../src/round/serverLearning/asynchrony/durations.ts";
import { movementOfStep } from "../../../../src/round/serverLearning/asynchrony/moveByStep.ts";
import {
  type AsyncPolicy,
  fedAsyncPolicy,
  fedBuffPolicy,
  synchronousPolicy,
} from "../../../../src/round/serverLearning/asynchrony/policies.ts";
import {
  type AsyncOptions,
  type AsyncStep,
  type AsyncTask,
  runAsync,
} from "../../../../src/round/serverLearning/asynchrony/runAsync.ts";
import { asyncSchema } from "../../../../src/round/serverLearning/serverConfig.ts";

type Named<Name> = Extract<ReturnType<typeof asyncSchema.parse>, { name: Name }>;
const FEDBUFF = asyncSchema.parse({ name: "fedbuff", buffer: 2 }) as Named<"fedbuff">;
const FEDASYNC = asyncSchema.parse({ name: "fedasync" }) as Named<"fedasync">;

const near = (actual: number | undefined, expected: number): void =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 1e-12, `${actual} instead of ${expected}`);

/** Runs a policy with members of the given seconds per task, and keeps what happened. */
async function play(policy: AsyncPolicy, seconds: readonly number[], changes: Partial<AsyncOptions<number>> = {}) {
  const steps: AsyncStep<number>[] = [];
  const tasks: AsyncTask[] = [];
  const run = await runAsync<number>({
    members: seconds.map((_, member) => member),
    concurrency: seconds.length,
    policy,
    maxStaleness: 20,
    duration: (member) => seconds[member] as number,
    until: { versions: 4, time: Infinity },
    random: keyedRandom("async"),
    train: async (task) => {
      tasks.push(task);
      return task.version;
    },
    apply: async (step) => {
      steps.push(step);
    },
    ...changes,
  });
  return { run, steps, tasks };
}

describe("staleness weights", () => {
  it("are 1, .7071, .5774, .5 for a = 0 … 3, and 1 up to 4, then 1/(10(a−4)+1), for the hinge", () => {
    const weights = (policy: AsyncPolicy) =>
      [0, 1, 2, 3, 4, 5, 6].map((staleness) => policy.weigh([{ member: 0, staleness, factor: 1 }])[0]);
    const polynomial = weights(fedBuffPolicy(FEDBUFF));
    near(weights(fedBuffPolicy({ ...FEDBUFF, stepSize: 0.25 }))[1], Math.SQRT1_2 / 4);
    for (const [a, expected] of [1, Math.SQRT1_2, 1 / Math.sqrt(3), 0.5].entries()) near(polynomial[a], expected);
    const hinge = asyncSchema.parse({ name: "fedasync", mixing: 1, staleness: { decay: "hinge" } });
    const [zero, , , , four, five, six] = weights(fedAsyncPolicy(hinge as Named<"fedasync">));
    near(zero, 1);
    near(four, 1);
    near(five, 1 / 11);
    near(six, 1 / 21);
  });
});

describe("runAsync", () => {
  it("FedBuff, Z = 2, members of 1 and 3 seconds: steps at 2, 3, 5, 6; the slow one's work is 1 version old", async () => {
    const { run, steps } = await play(fedBuffPolicy(FEDBUFF), [1, 3]);
    // Arrivals: member 0 at 1, 2, 3, …; member 1 at 3, 6. At 3 both arrive, member 0 first: it starts again before the step.
    assert.deepEqual(
      steps.map(({ time, version, arrivals }) => [
        time,
        version,
        arrivals.map((one) => [one.task.member, one.staleness]),
      ]),
      [
        [
          2,
          1,
          [
            [0, 0],
            [0, 0],
          ],
        ],
        [
          3,
          2,
          [
            [0, 0],
            [1, 1],
          ],
        ],
        [
          5,
          3,
          [
            [0, 1],
            [0, 0],
          ],
        ],
        [
          6,
          4,
          [
            [0, 0],
            [1, 1],
          ],
        ],
      ],
    );
    near(steps[1]?.arrivals[0]?.weight, 0.5);
    near(steps[1]?.arrivals[1]?.weight, Math.SQRT1_2 / 2);
    assert.deepEqual(run, {
      versions: 4,
      time: 6,
      finishedTasks: 8,
      discarded: 0,
      staleness: [0, 0, 0, 1, 1, 0, 0, 1],
    });
  });

  it("FedAsync mixes every arrival at once with γψ(a), γ = .6", async () => {
    const { steps } = await play(fedAsyncPolicy(FEDASYNC), [1, 3]);
    assert.deepEqual(
      steps.map(({ time, kind, arrivals }) => [time, kind, arrivals[0]?.staleness]),
      [
        [1, "mix", 0],
        [2, "mix", 0],
        [3, "mix", 0],
        [3, "mix", 3],
      ],
    );
    near(steps[3]?.arrivals[0]?.weight, 0.6 * 0.5);
  });

  it("behind a barrier every step takes the slowest member's time, and nothing is stale", async () => {
    const { run, steps } = await play(
      synchronousPolicy((member) => 1 + 2 * member),
      [1, 3],
    );
    assert.deepEqual(
      steps.map(({ time }) => time),
      [3, 6, 9, 12],
    );
    assert.deepEqual(new Set(run.staleness), new Set([0]));
    assert.deepEqual(
      steps[0]?.arrivals.map(({ weight }) => weight),
      [0.25, 0.75],
    );
  });

  it("discards what is staler than the limit, and the member starts again", async () => {
    const { run, steps } = await play(fedAsyncPolicy(FEDASYNC), [1, 3.5], {
      maxStaleness: 2,
      until: { versions: 10, time: Infinity },
    });
    // At 3.5 from version 0 (three behind), at 7 from version 3 (four behind, since member 0 arrived first).
    assert.equal(run.discarded, 2);
    assert.ok(steps.every(({ arrivals }) => arrivals.every(({ task }) => task.member === 0)));
  });

  it("ends in time, with nobody starting after the end", async () => {
    const { run, tasks } = await play(fedAsyncPolicy(FEDASYNC), [1, 3], { until: { versions: Infinity, time: 2.5 } });
    assert.deepEqual([run.versions, run.time], [2, 2]);
    assert.ok(tasks.every(({ startedAt }) => startedAt <= 2.5));
  });

  it("keeps `concurrency` members at work, each with one task, from the version it says; repeats itself exactly", async () => {
    const settings = fc.record({
      seconds: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 8 }),
      share: fc.double({ min: 0.1, max: 1, noNaN: true }),
      buffer: fc.integer({ min: 1, max: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(settings, async ({ seconds, share, buffer }) => {
        const concurrency = Math.max(1, Math.floor(share * seconds.length));
        let version = 0;
        const changes = {
          concurrency,
          until: { versions: 6, time: Infinity },
          apply: async (step: AsyncStep<number>) => {
            version += 1;
            assert.equal(step.version, version);
            assert.equal(step.arrivals.length, buffer);
            for (const { task, staleness, update } of step.arrivals) {
              assert.equal(staleness, step.version - 1 - task.version);
              assert.equal(update, task.version);
            }
          },
        };
        const { run, tasks } = await play(fedBuffPolicy({ ...FEDBUFF, buffer }), seconds, changes);
        for (const { startedAt, finishesAt } of tasks) {
          const together = tasks.filter((other) => other.startedAt <= startedAt && other.finishesAt > startedAt);
          assert.ok(together.length <= concurrency && finishesAt > startedAt);
          assert.equal(new Set(together.map(({ member }) => member)).size, together.length);
        }
        assert.equal(run.finishedTasks, 6 * buffer + run.discarded);
        version = 0;
        assert.deepEqual((await play(fedBuffPolicy({ ...FEDBUFF, buffer }), seconds, changes)).tasks, tasks);
      }),
      { numRuns: 40 },
    );
  });

  it("refuses endless runs, times that are not positive, and more work than members", async () => {
    const policy = fedAsyncPolicy(FEDASYNC);
    for (const changes of [
      { until: { versions: Infinity, time: Infinity } },
      { concurrency: 3 },
      { duration: () => 0 },
      { maxStaleness: -1 },
    ])
      await assert.rejects(play(policy, [1, 2], changes), { code: "BAD_CONFIG" });
  });

  it("needs less virtual time than the barrier for as many updates, with three speed classes", async () => {
    const members = Array.from({ length: 12 }, (_, member) => member);
    const duration = speedClasses(members, [1, 2, 4], 0.1, keyedRandom("speeds"));
    const common = { members, concurrency: 12, duration };
    const sync = await play(
      synchronousPolicy(() => 1),
      members,
      { ...common, until: { versions: 5, time: Infinity } },
    );
    const buffered = await play(fedBuffPolicy({ ...FEDBUFF, buffer: 12 }), members, {
      ...common,
      until: { versions: 5, time: Infinity },
    });
    assert.ok(buffered.run.time < 0.75 * sync.run.time, `${buffered.run.time} against ${sync.run.time}`);
  });
});

describe("speedClasses", () => {
  it("deals classes evenly and jitters each task within bounds, the same from the same key", () => {
    const members = Array.from({ length: 9 }, (_, member) => member);
    const duration = speedClasses(members, [1, 2, 4], 0.1, keyedRandom("speeds"));
    const classOf = (member: number) => [1, 2, 4].find((s) => Math.abs(duration(member, 0) / s - 1) <= 0.1);
    for (const s of [1, 2, 4]) assert.equal(members.filter((member) => classOf(member) === s).length, 3);
    assert.notEqual(duration(0, 0), duration(0, 1));
    assert.equal(speedClasses(members, [1, 2, 4], 0.1, keyedRandom("speeds"))(5, 7), duration(5, 7));
  });
});

describe("movementOfStep", () => {
  const task = { member: 0, version: 0, number: 0, startedAt: 0, finishesAt: 1, instruction: undefined };
  const arrival = {
    task,
    staleness: 1,
    weight: 0.25,
    update: { base: Float64Array.of(1), delta: Float64Array.of(2) },
  };
  const step = (kind: "add" | "mix") => ({ version: 1, time: 1, kind, arrivals: [arrival] });

  it("adds a quarter of Δ = 2, or mixes in a quarter of w_i = 3 at w = 5", () => {
    assert.deepEqual([...movementOfStep(Float64Array.of(5), step("add"))], [0.5]);
    assert.deepEqual([...movementOfStep(Float64Array.of(5), step("mix"))], [-0.5]);
  });
});
