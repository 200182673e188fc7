// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { ServerClock } from "../../../src/round/serverLearning/serverClock.ts";
import { serversSchema } from "../../../src/round/serverLearning/serverConfig.ts";

const MEMBERS = [1, 2, 3];
const LOADS = MEMBERS.map((member) => ({ member, downBytes: 100, upBytes: 100 }));
const STATE_BYTES = 100;
const FIXED = { name: "fixed", server: "a" };
const FEDADASS = {
  name: "fedadass",
  deadline: 100,
  explore: { kind: "epsilon-greedy", epsilon: 0 },
  reshuffleWithin: 0,
};

interface Outage {
  readonly from: number;
  readonly to: number;
}

/** Everybody's paths are alike and a task takes a second: at `a` a round takes 1 + 1 + 1 + 1 + .5, at `b` 2 + 1 + 2 + 2. */
const clockOf = (choose: unknown, a: readonly Outage[] = [], b: readonly Outage[] = [], more = {}): ServerClock => {
  const candidates = [
    { name: "a", bandwidth: 100, roundTripSeconds: 1, aggregationSeconds: 0.5, price: 3, outages: a },
    { name: "b", bandwidth: 50, roundTripSeconds: 2, price: 1, outages: b },
  ];
  const exact = { pathSpread: 0, pathJitter: 0, speeds: [1], jitter: 0 };
  return new ServerClock(serversSchema.parse({ candidates, choose, ...exact, ...more }), MEMBERS, keyedRandom("clock"));
};

describe("the clock of rounds that several servers could aggregate", () => {
  it("a round is the way down, the work, the way up and the aggregation", () => {
    const clock = clockOf(FIXED);
    assert.equal(clock.advance(1, LOADS, STATE_BYTES), "a");
    assert.equal(clock.time, 4.5);
    clock.advance(2, LOADS, STATE_BYTES);
    assert.equal(clock.time, 9);
    assert.deepEqual(clock.totals, {
      handOvers: 0,
      failovers: 0,
      waitedSeconds: 0,
      price: 6,
      rounds: new Map([
        ["a", 2],
        ["b", 0],
      ]),
    });
  });

  it("the slowest member is waited for, and a round without anybody takes no time", () => {
    const clock = clockOf(FIXED, [], [], { speeds: [1, 2, 4] });
    assert.equal(clock.advance(1, [], STATE_BYTES), undefined);
    assert.equal(clock.time, 0);
    clock.advance(2, LOADS, STATE_BYTES);
    assert.equal(clock.time, 7.5);
  });

  it("who is fixed on a server waits for it: what was trained is sent again when it is back", () => {
    const clock = clockOf(FIXED, [{ from: 2.5, to: 10 }]);
    clock.advance(1, LOADS, STATE_BYTES);
    // Noticed at 7.5, back at 10; the update's way up, its round trip, the aggregation.
    assert.equal(clock.time, 12.5);
    assert.deepEqual([clock.totals.failovers, clock.totals.waitedSeconds, clock.totals.handOvers], [1, 2.5, 0]);
  });

  it("who had no model yet begins anew", () => {
    const clock = clockOf(FIXED, [{ from: 0.5, to: 0.7 }]);
    clock.advance(1, LOADS, STATE_BYTES);
    assert.equal(clock.time, 5.5 + 4.5);
  });

  it("FedAdaSS goes on at the next best, which takes the state over, and comes back", () => {
    const clock = clockOf(FEDADASS, [{ from: 2.5, to: 14 }]);
    assert.equal(clock.advance(1, LOADS, STATE_BYTES), "b");
    // Noticed at 7.5; hand-over 100/50 + 2; the updates' way up 2 and round trip 2.
    assert.equal(clock.time, 15.5);
    assert.equal(clock.advance(2, LOADS, STATE_BYTES), "a");
    // Hand-over 100/100 + 1.
    assert.equal(clock.time, 15.5 + 2 + 4.5);
    assert.deepEqual([clock.totals.failovers, clock.totals.handOvers, clock.totals.price], [1, 2, 4]);
  });

  it("whoever chooses at a failover expects of members what is usual, and does not see how long they will really take", () => {
    const candidates = [
      { name: "a", bandwidth: 100, roundTripSeconds: 1, price: 0, outages: [{ from: 1.5, to: 1_000 }] },
      { name: "cheap", bandwidth: 50, roundTripSeconds: 6, price: 1 },
      { name: "fast", bandwidth: 200, roundTripSeconds: 0.5, price: 3 },
    ];
    // Noticed at 6.5; 4.5 s of the usual 10 are left, for which "fast" pays, as it would not where more than 5.5 s are.
    const config = serversSchema.parse({
      candidates,
      choose: { ...FEDADASS, priceWeight: 0.7, punctualityWeight: 0 },
      pathSpread: 0,
      pathJitter: 0,
      speeds: [10],
      jitter: 0.9,
    });
    const times = new Set<number>();
    for (let key = 0; key < 20; key++) {
      const clock = new ServerClock(config, MEMBERS, keyedRandom("clock", key));
      assert.equal(clock.advance(1, LOADS, STATE_BYTES), "fast");
      assert.equal(clock.totals.failovers, 1);
      times.add(clock.time);
    }
    assert.ok(times.size > 10, "they take other times");
  });

  it("a server that is known to be down is not chosen; where all are, the first to be back is", () => {
    const down = clockOf(FEDADASS, [{ from: 0, to: 100 }]);
    assert.equal(down.advance(1, LOADS, STATE_BYTES), "b");
    assert.equal(down.time, 7);
    assert.equal(down.totals.failovers, 0);
    const both = clockOf(FEDADASS, [{ from: 0, to: 100 }], [{ from: 0, to: 30 }]);
    assert.equal(both.advance(1, LOADS, STATE_BYTES), "b");
    assert.deepEqual([both.time, both.totals.waitedSeconds], [37, 30]);
  });

  it("paths differ by what was said, and the same key gives the same times", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 0.9, noNaN: true }),
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        (pathSpread, pathJitter) => {
          const timesOf = () => {
            const clock = clockOf(FIXED, [], [], { pathSpread, pathJitter });
            return [1, 2, 3].map((round) => {
              const before = clock.time;
              clock.advance(round, LOADS, STATE_BYTES);
              return clock.time - before;
            });
          };
          const times = timesOf();
          assert.deepEqual(timesOf(), times);
          const slowest = 1 / ((1 - pathSpread) * (1 - pathJitter));
          for (const time of times)
            assert.ok(time > 1.5 && time <= 1.5 + 2 * slowest + (1 + pathSpread) * (1 + pathJitter) + 1e-9);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("refuses a fixed server that is no candidate, two of one name, and outages that end before they begin", () => {
    const candidates = [{ name: "a", bandwidth: 100 }];
    for (const [bad, why] of [
      [{ candidates, choose: { name: "fixed", server: "b" } }, /one of the candidates/],
      [{ candidates: [...candidates, ...candidates], choose: FIXED }, /each name once/],
      [{ candidates: [{ ...candidates[0], outages: [{ from: 2, to: 1 }] }], choose: FIXED }, /ends after it begins/],
    ] as const)
      assert.match(serversSchema.safeParse(bad).error?.message ?? "", why);
  });
});
