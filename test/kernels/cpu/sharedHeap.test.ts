// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SharedHeap } from "../../../src/kernels/cpu/sharedHeap.ts";

const RESERVED = 131_072;

describe("SharedHeap", () => {
  it("hands out pieces that never touch, each on a line of its own, with room to read past their ends", () => {
    const step = fc.record({ bytes: fc.integer({ min: 0, max: 200_000 }), free: fc.boolean(), which: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const heap = new SharedHeap(RESERVED);
        const held: { start: number; bytes: number }[] = [];
        for (const { bytes, free, which } of steps) {
          if (free && held.length > 0) {
            const [piece] = held.splice(which % held.length, 1) as [{ start: number; bytes: number }];
            heap.give(piece.start, piece.bytes);
          } else held.push({ start: heap.take(bytes), bytes });
          const ordered = [...held].sort((a, b) => a.start - b.start);
          let end = RESERVED;
          for (const { start, bytes: size } of ordered) {
            assert.equal(start % 64, 0);
            assert.ok(start >= end);
            end = start + size + 128;
          }
          assert.ok(end <= heap.buffer.byteLength);
        }
      }),
      { seed: 5, numRuns: 60 },
    );
  });

  it("uses again what was given back, in any order", () => {
    const heap = new SharedHeap(RESERVED);
    const pieces = [100_000, 64, 1, 500_000, 3_000].map((bytes) => ({ bytes, start: heap.take(bytes) }));
    const length = heap.buffer.byteLength;
    for (const at of [2, 0, 4, 1, 3])
      heap.give((pieces[at] as { start: number }).start, (pieces[at] as { bytes: number }).bytes);
    assert.equal(heap.take(600_000), RESERVED);
    assert.equal(heap.buffer.byteLength, length);
  });

  it("knows its own views, also those made before it grew", () => {
    const heap = new SharedHeap(RESERVED);
    const address = heap.take(10);
    const early = new Uint8Array(heap.buffer, address, 10);
    heap.take(10_000_000);
    assert.ok(heap.holds(early));
    early[3] = 7;
    assert.equal(new Uint8Array(heap.buffer)[early.byteOffset + 3], 7);
    assert.ok(!heap.holds(new Uint8Array(10)));
    assert.ok(!heap.holds(new Uint8Array(new SharedHeap(RESERVED).buffer)));
  });
});
