// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import { DecodeError, FoedusError } from "../../src/protocol/errors.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { Inflation } from "../../src/update/inflation.ts";
import { compress } from "../../src/update/zstdFrame.ts";

const random = keyedRandom("inflation");
const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.integerBelow(256));

/** A frame in pieces, and how many of them somebody asked for. */
function inPieces(frame: Uint8Array, bytes: number): { pieces: AsyncGenerator<Uint8Array>; taken: () => number } {
  let taken = 0;
  async function* cut(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < frame.length; at += bytes) {
      taken++;
      yield frame.subarray(at, at + bytes);
    }
  }
  return { pieces: cut(), taken: () => taken };
}

async function* never(): AsyncGenerator<Uint8Array> {
  await new Promise(() => {});
}

describe("Inflation", () => {
  for (const [pieceBytes, bytes] of [
    [1, 5_000],
    [1_000, 200_000],
    [65_536, 200_000],
    [1_000_000, 200_000],
  ] as const) {
    it(`gives the content, from pieces of ${pieceBytes} bytes, in parts of any size`, async () => {
      const content = noise(bytes).map((byte, i) => (i % 3 === 0 ? byte : 7));
      const inflation = new Inflation(inPieces(compress(content), pieceBytes).pieces, content.length);
      const out = new Uint8Array(content.length);
      for (let at = 0, step = 1; at < out.length; at += step, step = Math.min(2 * step + 1, out.length - at || 1))
        await inflation.fill(out.subarray(at, at + step));
      await inflation.end();
      await inflation.close();
      assert.deepEqual(out, content);
    });
  }

  it("takes of the frame no more than what is read needs: the rest waits where it is", async () => {
    const content = noise(2 * 1_048_576);
    const { pieces, taken } = inPieces(compress(content), 65_536);
    const inflation = new Inflation(pieces, content.length);
    await inflation.fill(new Uint8Array(1));
    // Whatever would still be read ahead, is.
    await setTimeout(100);
    assert.ok(taken() <= 8, `${taken()} of ${content.length / 65_536} pieces were taken`);
    await inflation.close();
  });

  it("a frame of some hundred bytes that inflates to much is inflated as far as it is read", async () => {
    const content = new Uint8Array(64 * 1_048_576);
    const frame = compress(content);
    assert.ok(frame.length < 20_000);
    const before = process.memoryUsage().arrayBuffers;
    const inflation = new Inflation(inPieces(frame, 65_536).pieces, content.length);
    await inflation.fill(new Uint8Array(1));
    await setTimeout(100);
    assert.ok(process.memoryUsage().arrayBuffers - before < 4 * 1_048_576);
    await inflation.close();
  });

  it("closing ends a read whose frame stalls", async () => {
    const inflation = new Inflation(never(), 5);
    const read = inflation.fill(new Uint8Array(5));
    await setImmediate();
    await Promise.all([assert.rejects(read), inflation.close()]);
    // Closing twice is closing; nothing can be read any more.
    await inflation.close();
    await assert.rejects(inflation.fill(new Uint8Array(5)));
  });

  it("closing before anything was read, and after everything", async () => {
    const frame = compress(noise(10));
    const unread = new Inflation(inPieces(frame, 5).pieces, 10);
    await unread.close();
    const read = new Inflation(inPieces(frame, 5).pieces, 10);
    await read.fill(new Uint8Array(10));
    await read.end();
    await read.close();
  });

  it("an error of the frame's source is the reader's, as it is", async () => {
    const frame = compress(noise(200_000));
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield frame.subarray(0, 70_000);
      throw new FoedusError("CONTENT_CHANGED", "Bytes have changed.");
    }
    const inflation = new Inflation(broken(), 200_000);
    await assert.rejects(inflation.fill(new Uint8Array(200_000)), { code: "CONTENT_CHANGED" });
    await inflation.close();
  });

  it("DecodeError: a frame cut short, a corrupt one, and content of another size", async () => {
    const content = noise(1_000).map((byte) => byte & 3);
    const frame = compress(content);
    const fails = async (bytes: Uint8Array, announced: number): Promise<void> => {
      const inflation = new Inflation(inPieces(bytes, 100).pieces, announced);
      await assert.rejects(async () => {
        await inflation.fill(new Uint8Array(announced));
        await inflation.end();
      }, DecodeError);
      await inflation.close();
    };
    await fails(frame.subarray(0, frame.length - 1), 1_000);
    await fails(frame.subarray(0, 20), 1_000);
    await fails(frame, 1_001);
    await fails(frame, 999);
    const corrupt = Uint8Array.from(frame);
    // The header of its first block: now of the reserved type.
    corrupt[8] = (corrupt[8] as number) | 6;
    await fails(corrupt, 1_000);
  });
});
