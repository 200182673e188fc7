// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Contender, measureInTurn, repeatsFor } from "../../bench/lib/measure.ts";
import { duration } from "../../bench/lib/progress.ts";
import { fastest, gigabytesPerSecond, median, ratio, rounded } from "../../bench/lib/statistics.ts";

describe("the statistics of benches", () => {
  it("take the middle value by size, not by order or as text", () => {
    const values = [100, 9, 20];
    assert.equal(median(values), 20);
    assert.deepEqual(values, [100, 9, 20]);
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.equal(median([7]), 7);
    assert.throws(() => median([]), RangeError);
  });

  it("give ratios of what was measured, and null of what was not", () => {
    assert.equal(ratio(10, 4), 2.5);
    assert.equal(ratio(1, 3), 0.3333);
    for (const absent of [null, undefined]) {
      assert.equal(ratio(absent, 4), null);
      assert.equal(ratio(4, absent), null);
    }
    assert.equal(ratio(1, 0), null);
    assert.equal(fastest([3, null, 2, undefined]), 2);
    assert.equal(fastest([null, undefined]), null);
  });

  it("count 10^9 bytes as a gigabyte", () => {
    assert.equal(gigabytesPerSecond(80_000_000, 8), 10);
    assert.equal(rounded(123_456), 123_500);
    assert.equal(rounded(0.000_123_456), 0.000_123_5);
  });

  it("tell times as people read them", () => {
    assert.equal(duration(41_600), "42 s");
    assert.equal(duration(185_000), "3 min 5 s");
  });
});

const PATIENT = { totalMs: 1_000, singleMs: 100 };

/** A contender whose clock says what the test wants. */
function saying(id: string, times: readonly number[], log: string[] = [], more: Partial<Contender> = {}): Contender {
  let at = 0;
  return {
    id,
    patience: PATIENT,
    garbage: true,
    run: async (part) => {
      log.push(`${id}${part}`);
      return times[at++ % times.length] as number;
    },
    ...more,
  };
}

describe("measuring in turn", () => {
  it("leaves the first run of each out, and alternates with a rotating order on ever new stretches of data", async () => {
    const log: string[] = [];
    const measured = await measureInTurn(
      [saying("a", [99, 1, 5, 3], log), saying("b", [99, 2, 2, 8], log), saying("c", [1], log)],
      3,
    );
    assert.deepEqual(log, ["a0", "b1", "c2", "a3", "b4", "c5", "b6", "c7", "a8", "c9", "a10", "b11"]);
    assert.deepEqual(
      [...measured],
      [
        ["a", { ms: 3, repeats: 3 }],
        ["b", { ms: 2, repeats: 3 }],
        ["c", { ms: 1, repeats: 3 }],
      ],
    );
  });

  it("makes fewer runs of what is slow, always an odd number and never none", async () => {
    assert.deepEqual(
      [1, 142, 143, 200, 250, 334, 500, 501, 2_000].map((ms) => repeatsFor(ms, 1_000, 7)),
      [7, 7, 5, 5, 3, 1, 1, 1, 1],
    );
    const measured = await measureInTurn([saying("slow", [300]), saying("slower than all its time", [2_000])], 7);
    assert.equal(measured.get("slow")?.repeats, 3);
    assert.deepEqual(measured.get("slower than all its time"), { ms: 2_000, repeats: 1 });
  });

  it("counts the time of a part as often as there are parts, and has patience for one of them", async () => {
    const measured = await measureInTurn(
      [saying("tenth", [9, 20, 30, 40], [], { runs: 10, expectMs: async () => 1_000 })],
      3,
    );
    assert.deepEqual([...measured], [["tenth", { ms: 300, repeats: 3 }]]);
  });

  it("does not begin what is expected to take too long", async () => {
    const log: string[] = [];
    const measured = await measureInTurn(
      [
        saying("long", [1], log, { expectMs: async () => 101 }),
        saying("short", [1], log, { expectMs: async () => 100 }),
      ],
      1,
    );
    assert.deepEqual([...measured.keys()], ["short"]);
    assert.deepEqual(log, ["short0", "short1"]);
  });
});
