// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { attackSchema } from "../../../src/simulation/attacks/attackConfig.ts";
import { type AttackedRound, craftUpdates } from "../../../src/simulation/attacks/craftUpdates.ts";
import { attacksIn, chooseAttackers } from "../../../src/simulation/attacks/schedule.ts";
import { configOf, line } from "./fixtures.ts";

const random = keyedRandom("round");
const seen = (overrides: Partial<AttackedRound> = {}): AttackedRound => ({
  round: 5,
  honest: line(1, 2, 3),
  attackers: [
    { id: 4, update: Float64Array.of(10) },
    { id: 9, update: Float64Array.of(14) },
  ],
  received: Float64Array.of(0),
  rule: { rule: "krum", parameters: { byzantine: 1 } },
  random,
  ...overrides,
});
const sent = async (config: Parameters<typeof craftUpdates>[0], overrides: Partial<AttackedRound> = {}) =>
  Object.fromEntries(Array.from(await craftUpdates(config, seen(overrides)), ([id, [value]]) => [id, value]));

describe("what attackers send", () => {
  it("depends on what they know: the honest mean is 2, their own 12", async () => {
    for (const [knowledge, mean] of [
      ["agnostic", 12],
      ["partial", 2],
      ["omniscient", 2],
    ] as const)
      assert.deepEqual(await sent(configOf("negation", { of: "mean", knowledge })), { 4: -mean, 9: -mean });
  });

  it("made against a rule, is made without the honest updates where knowledge is partial", async () => {
    const config = (knowledge: string) => configOf("fang-trim", { knowledge });
    // Own 10 and 14: 3 to 4 deviations of 2.83 below 12; honest: between half the minimum and the minimum.
    for (const value of Object.values(await sent(config("partial"))))
      assert.ok((value as number) > 0.6 && (value as number) < 3.6);
    for (const value of Object.values(await sent(config("omniscient"))))
      assert.ok((value as number) >= 0.5 && (value as number) <= 1);
  });

  it("replaces the model of all members, their own updates counted", async () => {
    assert.deepEqual(await sent(configOf("scaling")), { 4: 50, 9: 70 });
  });

  it("without collusion each acts alone", async () => {
    const config = configOf("sybil", { collusion: false });
    assert.deepEqual(await sent(config), { 4: 10, 9: 14 });
    assert.deepEqual(await sent(configOf("sybil")), { 4: 12, 9: 12 });
  });

  it("is nothing special when they behave, or attack at another stage", async () => {
    assert.deepEqual(await sent(configOf("negation", { schedule: { from: 6 } })), {});
    assert.deepEqual(await sent(configOf("label-flip")), {});
    assert.deepEqual(await sent(configOf("negation"), { attackers: [] }), {});
  });

  it("is what was sent before, for a replay", async () => {
    const attackers = [{ id: 4, update: Float64Array.of(10), last: Float64Array.of(7) }];
    assert.deepEqual(await sent(configOf("replay"), { attackers }), { 4: 7 });
  });

  it("is the same when it is crafted again, and different in another round", async () => {
    const config = configOf("gaussian-noise");
    assert.deepEqual(await sent(config), await sent(config));
    assert.notDeepEqual(await sent(config), await sent(config, { round: 6 }));
    assert.notDeepEqual((await sent(config))[4], (await sent(config))[9]);
  });
});

describe("who attacks, and when", () => {
  const members = Array.from({ length: 20 }, (_, i) => i + 1);
  it("draws a number of members, or a share of them, once for a run", () => {
    const chosen = chooseAttackers(configOf("negation", { count: 4 }), members, random);
    assert.equal(new Set(chosen).size, 4);
    assert.deepEqual(
      chosen,
      chosen.toSorted((a, b) => a - b),
    );
    assert.deepEqual(chooseAttackers(configOf("negation", { count: 4 }), members, random), chosen);
    assert.equal(
      chooseAttackers(configOf("negation", { count: undefined, fraction: 0.29 }), members, random).length,
      5,
    );
    assert.throws(() => chooseAttackers(configOf("negation", { count: 20 }), members, random), /one be honest/);
    assert.throws(
      () => chooseAttackers(configOf("negation", { count: undefined, fraction: 0.01 }), members, random),
      /one at least/,
    );
  });

  it("behaves for ten rounds and attacks for two", () => {
    const config = configOf("negation", { schedule: { from: 3, cycle: { offFor: 10, onFor: 2 } } });
    const attacked = Array.from({ length: 40 }, (_, round) => round).filter((round) =>
      attacksIn(config, round, 1, random),
    );
    assert.deepEqual(attacked, [13, 14, 25, 26, 37, 38]);
  });

  it("attacks from the round that it says, and in every one after", () => {
    const config = configOf("negation", { schedule: { from: 3 } });
    const attacked = [0, 1, 2, 3, 4, 5].filter((round) => attacksIn(config, round, 1, random));
    assert.deepEqual(attacked, [3, 4, 5]);
  });

  it("attacks with a probability, together or each for itself", () => {
    const rounds = Array.from({ length: 1_000 }, (_, round) => round);
    const when = (collusion: boolean, member: number) =>
      rounds.filter((round) =>
        attacksIn(configOf("negation", { collusion, schedule: { probability: 0.3 } }), round, member, random),
      );
    assert.ok(Math.abs(when(true, 1).length - 300) < 60);
    assert.deepEqual(when(true, 1), when(true, 2));
    assert.notDeepEqual(when(false, 1), when(false, 2));
  });

  it("wants to be told how many, in one way", () => {
    assert.throws(() => attackSchema.parse({ name: "negation" }), /count or fraction/);
    assert.throws(() => attackSchema.parse({ name: "negation", count: 2, fraction: 0.2 }), /count or fraction/);
    assert.throws(() => attackSchema.parse({ name: "copycat", count: 2, knowledge: "agnostic" }));
  });
});
