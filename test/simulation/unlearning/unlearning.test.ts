// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { meanLoss } from "../../../src/learning/evaluate.ts";
import { hashedGroups } from "../../../src/round/serverLearning/flCert/groups.ts";
import { evidenceOf, formatEvidence, relativeDistance } from "../../../src/simulation/unlearning/evidence.ts";
import {
  forgetByReplay,
  matchesTrainingWithout,
  trainWithout,
} from "../../../src/simulation/unlearning/exactReplay.ts";
import { fedEraser, type KeptUpdate, withLengthOf } from "../../../src/simulation/unlearning/fedEraser.ts";
import { matchedAuroc, membershipAuroc, sampleLosses } from "../../../src/simulation/unlearning/membershipInference.ts";
import { forgetByRecomputing, type StoredRound } from "../../../src/simulation/unlearning/recompute.ts";
import { firstRoundOf, type Head } from "../../../src/simulation/unlearning/replayableRun.ts";
import { forgetInShard } from "../../../src/simulation/unlearning/shards.ts";
import { perceptron } from "../../learning/algorithms/models.ts";
import { advance, digestOf, record, SIZE, stateOf, step } from "./federation.ts";

const MEMBERS = [1, 2, 3, 4, 5, 6];
const UNIT = 2 ** 18;

describe("unlearning by replay", () => {
  it("equals training without the member from the start, bit for bit, for every member and a robust rule too", async () => {
    for (const rule of [{ rule: "weighted-mean" }, { rule: "coordinate-median" }] as const) {
      const run = await record({ members: MEMBERS, rounds: 8, cohort: 4, rule });
      for (const member of MEMBERS) {
        const { record: kept, head } = await forgetByReplay(run, member);
        const { equal, retrained } = await matchesTrainingWithout(run, member, head);
        assert.ok(equal, `member ${member}`);
        assert.deepEqual(head.state, retrained.state);
        assert.equal(kept.firstRound, firstRoundOf(run, member));
        assert.equal(kept.replayed, 8 - (kept.firstRound as number) + 1);
        assert.notEqual(kept.newHead, kept.oldHead);
        assert.deepEqual(kept.failed, []);
      }
    }
  });

  it("has nothing to do for a member that never entered", async () => {
    const run = await record({ members: MEMBERS, rounds: 3, cohort: 6 });
    const { record: kept, head } = await forgetByReplay(run, 99);
    assert.deepEqual([kept.firstRound, kept.replayed, head], [null, 0, run.heads[3]]);
    assert.equal(kept.newHead, kept.oldHead);
  });

  it("records the rounds that fail without the member; the model then stays", async () => {
    const run = await record({ members: [1, 2, 3], rounds: 3, cohort: 3, rule: { rule: "coordinate-median" } });
    const { record: kept, head } = await forgetByReplay(run, 2);
    assert.deepEqual(
      kept.failed.map(({ round, reason }) => [round, reason]),
      [1, 2, 3].map((round) => [round, "TOO_FEW_UPDATES"]),
    );
    assert.deepEqual(head.state, (run.heads[0] as Head).state);
  });

  it("is not what a damaged head claims", async () => {
    const run = await record({ members: MEMBERS, rounds: 4, cohort: 4 });
    const { head } = await forgetByReplay(run, 3);
    assert.equal(
      (await matchesTrainingWithout(run, 3, { ...head, digest: (run.heads[4] as Head).digest })).equal,
      false,
    );
  });
});

describe("unlearning by recomputing", () => {
  it("is exact for one round, and from then on only near: the others' updates saw the member", async () => {
    for (const rounds of [1, 6]) {
      const run = await record({ members: MEMBERS, rounds, cohort: 6 });
      const master = await forgetByRecomputing(new Float64Array(SIZE), run.stored, 2, advance);
      const retrained = await trainWithout(run, 2);
      assert.equal(digestOf(master) === retrained.digest, rounds === 1);
      const distance = relativeDistance(stateOf(master), retrained.state);
      assert.ok(distance < relativeDistance((run.heads[rounds] as Head).state, retrained.state) || rounds > 1);
      assert.ok(distance < 0.8, `${distance}`);
    }
  });
});

describe("FedEraser", () => {
  const layers = [{ offset: 0, size: SIZE }];
  const options = { layers, keepEvery: 2, effort: 0.5, calibrate: "client" } as const;
  const kept = (stored: readonly StoredRound<Int32Array>[]): StoredRound<KeptUpdate>[] =>
    stored.map(({ round, updates }) => ({
      round,
      updates: updates.map(({ member, update }) => ({
        member,
        update: { delta: Float64Array.from(update, (q) => q / UNIT), samples: 100 },
      })),
    }));
  const train = async (member: number, state: Float64Array, round: number, effort: number) =>
    step(member, state, round, effort);

  it("gives a new direction the old length: ‖U‖ = 2 and (3, 4) make (1.2, 1.6)", () => {
    const calibrated = withLengthOf(Float64Array.of(0, -2), Float64Array.of(3, 4), [{ offset: 0, size: 2 }]);
    assert.deepEqual(
      Array.from(calibrated, (value) => Math.round(value * 1e12) / 1e12),
      [1.2, 1.6],
    );
  });

  it("does so layer by layer, and skips a layer without direction", () => {
    const two = [
      { offset: 0, size: 1 },
      { offset: 1, size: 2 },
    ];
    assert.deepEqual([...withLengthOf(Float64Array.of(-5, 0, 1), Float64Array.of(2, 0, 3), two)], [5, 0, 1]);
    assert.deepEqual([...withLengthOf(Float64Array.of(-5, 3, 4), Float64Array.of(2, 0, 0), two)], [5, 0, 0]);
  });

  it("starts from the others' mean and looks at every second round only", async () => {
    const run = await record({ members: MEMBERS, rounds: 5, cohort: 6 });
    const asked: [member: number, round: number, effort: number][] = [];
    const spy = async (member: number, state: Float64Array, round: number, effort: number) => {
      asked.push([member, round, effort]);
      return train(member, state, round, effort);
    };
    await fedEraser(new Float64Array(SIZE), kept(run.stored), 4, spy, options);
    const others = MEMBERS.filter((member) => member !== 4);
    assert.deepEqual(
      asked,
      [3, 5].flatMap((round) => others.map((member) => [member, round, 0.5])),
    );
    const first = await fedEraser(new Float64Array(SIZE), kept(run.stored).slice(0, 1), 4, spy, options);
    const one = await trainWithout(await record({ members: MEMBERS, rounds: 1, cohort: 6 }), 4);
    assert.ok(relativeDistance(first, one.state) < 1e-4);
  });

  it("calibrates the first kept round where the model had moved before, by the member alone or in a round left out", async () => {
    const unit = Float64Array.of(1, 0);
    const of = (...members: number[]) => members.map((member) => ({ member, update: { delta: unit, samples: 1 } }));
    const turn = async () => Float64Array.of(0, 3);
    const erase = async (...rounds: ReturnType<typeof of>[]) => [
      ...(await fedEraser(
        new Float64Array(2),
        rounds.map((updates, t) => ({ round: t + 1, updates })),
        9,
        turn,
        { ...options, layers: [{ offset: 0, size: 2 }] },
      )),
    ];
    assert.deepEqual(await erase(of(1, 9)), [1, 0]);
    assert.deepEqual(await erase([], [], of(1)), [1, 0]);
    assert.deepEqual(await erase(of(9), [], of(1)), [0, 1]);
    assert.deepEqual(await erase([], of(1), of(1)), [0, 1]);
  });

  it("brings the model nearer to training without the member than it was, per client and by the mean", async () => {
    const run = await record({ members: MEMBERS, rounds: 12, cohort: 6 });
    const retrained = await trainWithout(run, 5);
    const before = relativeDistance((run.heads[12] as Head).state, retrained.state);
    for (const calibrate of ["client", "mean"] as const) {
      const erased = await fedEraser(new Float64Array(SIZE), kept(run.stored), 5, train, { ...options, calibrate });
      const after = relativeDistance(erased, retrained.state);
      assert.ok(after < before, `${calibrate}: ${after} after, ${before} before`);
    }
  });
});

describe("unlearning in shards", () => {
  it("runs the member's group again and no other: exact at a third of the rounds", async () => {
    const members = Array.from({ length: 15 }, (_, i) => i + 1);
    const groups = hashedGroups(members, 3);
    const runs = await Promise.all(groups.map((group) => record({ members: group, rounds: 5, cohort: group.length })));
    for (const [group, ids] of groups.entries()) {
      const member = ids[0] as number;
      const { head, cost, group: found } = await forgetInShard(runs, member);
      assert.equal(found, group);
      assert.equal(head.digest, (await trainWithout(runs[group] as (typeof runs)[number], member)).digest);
      assert.ok(Math.abs(cost - 1 / 3) < 1e-12);
    }
  });
});

describe("the evidence report", () => {
  const examined = (head: Head, memberLosses: number[], accuracy: number) => ({
    head,
    memberLosses,
    heldOutLosses: [1, 2, 3, 4],
    accuracy,
  });

  it("measures how well a loss threshold knows the member's samples", () => {
    assert.equal(membershipAuroc([0.1, 0.2], [1, 2, 3]), 1);
    assert.equal(membershipAuroc([1, 2, 3], [1, 2, 3]), 0.5);
    assert.equal(membershipAuroc([5, 6], [1, 2, 3]), 0);
  });

  it("does not take other classes for memory: areas are taken class by class", () => {
    // Class 1 is harder than class 0, and the member has little of it.
    const member = { losses: [1, 2, 3, 11], labels: [0, 0, 0, 1] };
    const heldOut = { losses: [2, 10, 12, 10, 12, 5], labels: [0, 1, 1, 1, 1, 2] };
    assert.ok(membershipAuroc(member.losses, heldOut.losses) > 0.7);
    const { area, standardError } = matchedAuroc(member, heldOut);
    assert.equal(area, 0.5);
    // (3²·(3+1+1)/(12·3·1) + 1²·(1+4+1)/(12·1·4))^½ / 4
    assert.ok(Math.abs(standardError - Math.sqrt(1.25 + 0.125) / 4) < 1e-15);
    // What nobody else has is left out; without anything in common there is no area.
    assert.equal(matchedAuroc({ losses: [0, 9], labels: [7, 0] }, { losses: [3], labels: [0] }).area, 0);
    assert.ok(Number.isNaN(matchedAuroc({ losses: [0], labels: [7] }, heldOut).area));
  });

  it("takes each sample's loss from the model", async () => {
    const model = perceptron(2, 3, 2);
    const parameters = Float32Array.from({ length: model.parameterCount }, (_, j) => Math.sin(j));
    const dataset = {
      features: Float32Array.of(1, 2, -1, 0.5),
      labels: Int32Array.of(0, 1),
      inputs: 2,
      classes: 2,
      size: 2,
    };
    const losses = await sampleLosses(model, parameters, dataset);
    assert.equal(losses.length, 2);
    const mean = await meanLoss(model, parameters, dataset);
    assert.ok(Math.abs(((losses[0] as number) + (losses[1] as number)) / 2 - mean) < 1e-12);
    assert.notEqual(losses[0], losses[1]);
  });

  it("says what was forgotten, and survives JSON", async () => {
    const run = await record({ members: MEMBERS, rounds: 6, cohort: 4 });
    const { record: kept, head } = await forgetByReplay(run, 1);
    const evidence = evidenceOf({
      method: "replay",
      member: 1,
      record: kept,
      before: examined(run.heads[6] as Head, [0.1, 0.2, 0.3, 0.4], 0.9),
      after: examined(head, [1, 2, 3, 4], 0.89),
      retrained: await trainWithout(run, 1),
    });
    assert.equal(evidence.equalsRetrained, true);
    assert.equal(evidence.distanceToRetrained, 0);
    assert.deepEqual(
      [evidence.membership.before, evidence.membership.after, evidence.membership.withinLeeway],
      [1, 0.5, true],
    );
    assert.ok(Math.abs(evidence.accuracy.change + 0.01) < 1e-12);
    assert.deepEqual(JSON.parse(JSON.stringify(evidence)), evidence);
    const text = formatEvidence(evidence);
    for (const part of [
      /Member 1, forgotten by replay/,
      /bit for bit/,
      /1\.000 before, 0\.500 after, within/,
      /90\.00 % before, 89\.00 % after/,
    ])
      assert.match(text, part);
    assert.ok(text.includes(kept.oldHead) && text.includes(kept.newHead));
  });

  it("of an approximate unlearning says how far off it is", async () => {
    const run = await record({ members: MEMBERS, rounds: 4, cohort: 6 });
    const retrained = await trainWithout(run, 1);
    const master = await forgetByRecomputing(new Float64Array(SIZE), run.stored, 1, advance);
    const after = { round: 4, digest: digestOf(master), state: stateOf(master) };
    const evidence = evidenceOf({
      method: "recompute",
      member: 1,
      before: examined(run.heads[4] as Head, [0.1], 0.9),
      after: examined(after, [0.2], 0.9),
      retrained,
    });
    assert.equal(evidence.equalsRetrained, false);
    assert.equal(evidence.record, null);
    assert.ok((evidence.distanceToRetrained as number) > 0);
    assert.match(formatEvidence(evidence), /differs from that of training.*\nRelative distance to it: .*\n.*outside/);
  });
});
