// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { eachSpan } from "../../src/aggregation/eachSpan.ts";
import { referenceKernels } from "../../src/aggregation/reference/referenceKernels.ts";
import { spansOf } from "../../src/aggregation/spans.ts";
import type { UpdateChunk, UpdateSource } from "../../src/protocol/updateChunk.ts";
import type { WideKernels } from "../../src/protocol/wideKernels.ts";
import { flatLayout } from "./fixtures.ts";

const SPANS = spansOf(flatLayout(30), 10);

/** What happened, in order. */
type Events = string[];

/** An update whose every read waits for `before`, and which says what is done with it. */
function source(
  memberId: number,
  events: Events,
  before: (read: number, closed: Promise<never>) => Promise<void> = async () => {},
): UpdateSource {
  return {
    memberId,
    samples: 1,
    size: 30,
    bytesPerChunk: (count) => 4 * count,
    open: async () => {
      let reads = 0;
      const { promise: closed, reject } = Promise.withResolvers<never>();
      closed.catch(() => {});
      return {
        read: async (count): Promise<UpdateChunk> => {
          const read = reads++;
          events.push(`${memberId} reads ${read}`);
          try {
            await before(read, closed);
          } finally {
            events.push(`${memberId} has read ${read}`);
          }
          return { kind: "dense", values: new Int32Array(count).fill(memberId) };
        },
        close: async () => {
          events.push(`${memberId} closed`);
          reject(new Error("Closed."));
        },
      };
    },
  };
}

/** Kernels that say when memory is given back. */
function kernels(events: Events): WideKernels {
  return {
    ...referenceKernels,
    allocate: (bytes) => ({ bytes: new Uint8Array(bytes), free: () => void events.push("free") }),
  };
}

const stalled = (_: number, closed: Promise<never>): Promise<void> => closed;

describe("eachSpan", () => {
  it("visits every span in order with the chunks of all updates", async () => {
    const seen: [number, number, number[]][] = [];
    await eachSpan([source(1, []), source(2, [])], SPANS, referenceKernels, async ({ offset, size }, chunks) => {
      seen.push([offset, size, chunks.map((chunk) => (chunk.kind === "dense" ? (chunk.values[0] as number) : -1))]);
    });
    assert.deepEqual(
      seen,
      [0, 10, 20].map((offset) => [offset, 10, [1, 2]]),
    );
  });

  it("reads one span ahead while one is visited, and no further", async () => {
    const events: Events = [];
    await eachSpan([source(1, events)], SPANS, kernels(events), async ({ offset }) => {
      for (let i = 0; i < 10; i++) await setImmediate();
      events.push(`visited ${offset}`);
    });
    assert.deepEqual(
      events.filter((event) => !event.includes("has read")),
      ["1 reads 0", "1 reads 1", "visited 0", "1 reads 2", "visited 10", "visited 20", "1 closed", "free", "free"],
    );
  });

  it("a read that fails: memory is given back only when the other updates' reads have ended", async () => {
    const events: Events = [];
    const fails = source(1, events, async () => {
      throw new Error("The disk is gone.");
    });
    const slow = source(2, events, async (_, closed) => {
      await closed.catch(() => {});
      // It still writes to its memory.
      for (let i = 0; i < 10; i++) await setImmediate();
    });
    await assert.rejects(
      eachSpan([fails, slow], SPANS, kernels(events), async () => {}),
      /disk is gone/,
    );
    assert.ok(events.indexOf("2 has read 0") < events.indexOf("free"), events.join(", "));
    assert.equal(events.filter((event) => event === "free").length, 4);
  });

  it("visiting that fails ends the read that is under way, even one that would never end", async () => {
    const events: Events = [];
    const stallsLater = source(1, events, async (read, closed) => {
      if (read > 0) await stalled(read, closed);
    });
    await assert.rejects(
      eachSpan([stallsLater], SPANS, kernels(events), async () => {
        throw new Error("The GPU is gone.");
      }),
      /GPU is gone/,
    );
    assert.deepEqual(events.slice(-3), ["1 has read 1", "free", "free"]);
  });

  it("an update that cannot be opened: those opened before are closed", async () => {
    const events: Events = [];
    const closed: UpdateSource = { ...source(2, events), open: () => Promise.reject(new Error("No such file.")) };
    await assert.rejects(
      eachSpan([source(1, events), closed], SPANS, kernels(events), async () => {}),
      /No such file/,
    );
    assert.deepEqual(events, ["1 closed"]);
  });

  it("a signal ends a read of a store that stalls, with the signal's reason", async () => {
    const events: Events = [];
    const controller = new AbortController();
    const pass = eachSpan([source(1, events, stalled)], SPANS, kernels(events), async () => {}, controller.signal);
    await setImmediate();
    controller.abort(new Error("Stopped by a person."));
    await assert.rejects(pass, /Stopped by a person/);
    assert.deepEqual(events.slice(-2), ["free", "free"]);
  });

  it("a signal ends the pass between two spans, and one that came before it at once", async () => {
    const controller = new AbortController();
    const visited: number[] = [];
    const visit = async ({ offset }: { offset: number }): Promise<void> => {
      visited.push(offset);
      controller.abort(new Error("Stopped by a person."));
    };
    for (let i = 0; i < 2; i++)
      await assert.rejects(eachSpan([source(1, [])], SPANS, referenceKernels, visit, controller.signal), /by a person/);
    assert.deepEqual(visited, [0]);
  });
});
