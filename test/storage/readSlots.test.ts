// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type ReadSlot, ReadSlots } from "../../src/storage/readSlots.ts";

/** Asks `count` times and notes who has been given a slot. */
function ask(slots: ReadSlots, count: number): { given: number[]; held: ReadSlot[] } {
  const given: number[] = [];
  const held: ReadSlot[] = [];
  for (let i = 0; i < count; i++)
    slots.take().then((slot) => {
      given.push(i);
      held.push(slot);
    });
  return { given, held };
}

describe("ReadSlots", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.timers.reset());

  it("gives as many as there are, then each that comes back to who asked first", async () => {
    const { given, held } = ask(new ReadSlots(2, 1_000, 10_000), 4);
    await setImmediate();
    assert.deepEqual(given, [0, 1]);
    held[1]?.give();
    // Twice is once.
    held[1]?.give();
    await setImmediate();
    assert.deepEqual(given, [0, 1, 2]);
    held[0]?.give();
    await setImmediate();
    assert.deepEqual(given, [0, 1, 2, 3]);
  });

  it("what is given back while nobody waits is there for the next", async () => {
    const slots = new ReadSlots(1, 1_000, 10_000);
    for (let i = 0; i < 3; i++) (await slots.take()).give();
    const { given } = ask(slots, 2);
    await setImmediate();
    assert.deepEqual(given, [0]);
  });

  it("one whose reader gets on no more comes back by itself, once", async () => {
    const { given, held } = ask(new ReadSlots(1, 1_000, 10_000), 3);
    await setImmediate();
    mock.timers.tick(999);
    held[0]?.renew();
    mock.timers.tick(999);
    await setImmediate();
    assert.deepEqual(given, [0]);
    mock.timers.tick(1);
    await setImmediate();
    assert.deepEqual(given, [0, 1]);
    // Too late: it is no longer this one's to keep or to give.
    held[0]?.renew();
    held[0]?.give();
    await setImmediate();
    assert.deepEqual(given, [0, 1]);
  });

  it("one that is read with for long comes back by itself", async () => {
    const { given, held } = ask(new ReadSlots(1, 1_000, 10_000), 2);
    await setImmediate();
    for (let i = 0; i < 20; i++) {
      assert.deepEqual(given, [0]);
      held[0]?.renew();
      mock.timers.tick(500);
      await setImmediate();
    }
    assert.deepEqual(given, [0, 1]);
  });
});
