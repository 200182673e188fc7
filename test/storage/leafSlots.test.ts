// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { setImmediate } from "node:timers/promises";
import { LeafSlots } from "../../src/storage/leafSlots.ts";

/** Asks `count` times and notes who has been given a slot. */
function ask(slots: LeafSlots, count: number): { given: number[]; gives: (() => void)[] } {
  const given: number[] = [];
  const gives: (() => void)[] = [];
  for (let i = 0; i < count; i++)
    slots.take().then((give) => {
      given.push(i);
      gives.push(give);
    });
  return { given, gives };
}

describe("LeafSlots", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.timers.reset());

  it("gives as many as there are, then each that comes back to who asked first", async () => {
    const { given, gives } = ask(new LeafSlots(2, 1_000_000), 4);
    await setImmediate();
    assert.deepEqual(given, [0, 1]);
    gives[1]?.();
    // Twice is once.
    gives[1]?.();
    await setImmediate();
    assert.deepEqual(given, [0, 1, 2]);
    gives[0]?.();
    await setImmediate();
    assert.deepEqual(given, [0, 1, 2, 3]);
  });

  it("what is given back while nobody waits is there for the next", async () => {
    const slots = new LeafSlots(1, 1_000_000);
    for (let i = 0; i < 3; i++) (await slots.take())();
    const { given } = ask(slots, 2);
    await setImmediate();
    assert.deepEqual(given, [0]);
  });

  it("one that is not given back comes back by itself, once", async () => {
    const { given, gives } = ask(new LeafSlots(1, 1_000), 3);
    await setImmediate();
    mock.timers.tick(999);
    await setImmediate();
    assert.deepEqual(given, [0]);
    mock.timers.tick(1);
    await setImmediate();
    assert.deepEqual(given, [0, 1]);
    // Too late: it is no longer this one's to give.
    gives[0]?.();
    await setImmediate();
    assert.deepEqual(given, [0, 1]);
  });
});
