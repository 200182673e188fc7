// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { frame, MAX_FRAME_BYTES, readFrames } from "../../../src/storage/bitswap/frames.ts";
import {
  type BitswapMessage,
  decodeMessage,
  encodeMessage,
  encodeVarint,
  MalformedMessage,
  readVarint,
} from "../../../src/storage/bitswap/message.ts";

const bytes = fc.uint8Array({ maxLength: 40 });
const message: fc.Arbitrary<BitswapMessage> = fc.record({
  full: fc.boolean(),
  wants: fc.array(fc.record({ cid: bytes, cancel: fc.boolean(), haveOnly: fc.boolean(), sendDontHave: fc.boolean() }), {
    maxLength: 4,
  }),
  blocks: fc.array(fc.record({ prefix: bytes, data: bytes }), { maxLength: 3 }),
  presences: fc.array(fc.record({ cid: bytes, have: fc.boolean() }), { maxLength: 3 }),
});

/** With hexadecimal text for bytes, since a view of a buffer and an array of the same bytes do not compare equal. */
function plain({ full, wants, blocks, presences }: BitswapMessage): unknown {
  const hex = (part: Uint8Array): string => Buffer.from(part).toString("hex");
  return {
    full,
    wants: wants.map((want) => ({ ...want, cid: hex(want.cid) })),
    blocks: blocks.map(({ prefix, data }) => [hex(prefix), hex(data)]),
    presences: presences.map(({ cid, have }) => [hex(cid), have]),
  };
}

describe("bitswap message", () => {
  it("reads what it wrote", () => {
    fc.assert(
      fc.property(message, (original) => {
        assert.deepEqual(plain(decodeMessage(encodeMessage(original))), plain(original));
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("is the bytes of the specification", () => {
    // By hand: wantlist { entry { cid 0xaa, priority 1, type have, sendDontHave } }, payload { prefix 0x01, data 0x02 },
    // presence { cid 0xbb, type dont-have }.
    const encoded = encodeMessage({
      full: false,
      wants: [{ cid: Uint8Array.of(0xaa), cancel: false, haveOnly: true, sendDontHave: true }],
      blocks: [{ prefix: Uint8Array.of(1), data: Uint8Array.of(2) }],
      presences: [{ cid: Uint8Array.of(0xbb), have: false }],
    });
    assert.equal(Buffer.from(encoded).toString("hex"), "0a0b0a090a01aa1001200128011a060a0101120102" + "22050a01bb1001");
  });

  it("skips fields that it does not know, and takes negative priorities", () => {
    const want = Buffer.from("0a01aa10ffffffffffffffffff01", "hex");
    const unknown = Buffer.from("3a0101" + "490000000000000000" + "4d00000000" + "2805", "hex");
    const list = Buffer.concat([Buffer.from([0x0a, want.length]), want]);
    const encoded = Buffer.concat([unknown, Buffer.from([0x0a, list.length]), list]);
    assert.equal(decodeMessage(encoded).wants.length, 1);
  });

  it("MalformedMessage: never anything else, for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        try {
          decodeMessage(noise);
        } catch (error) {
          assert.ok(error instanceof MalformedMessage, String(error));
        }
      }),
      { seed: 2, numRuns: 2000 },
    );
    for (const hex of ["0a05", "1a0100", "0a", "ffffffffffffffffffff01", "0b", "1801"]) {
      assert.throws(() => decodeMessage(Buffer.from(hex, "hex")), MalformedMessage, hex);
    }
  });

  it("varints go there and back, and stop at ten bytes", () => {
    for (const value of [0, 1, 127, 128, 16_384, 2 ** 31, 2 ** 53 - 1]) {
      const encoded = encodeVarint(value);
      assert.deepEqual(readVarint(encoded, 0), { value, end: encoded.length });
      assert.equal(readVarint(encoded.subarray(0, -1), 0), undefined);
    }
    assert.throws(() => readVarint(new Uint8Array(10).fill(0x80), 0), MalformedMessage);
  });
});

describe("bitswap frames", () => {
  async function read(parts: readonly Uint8Array[]): Promise<string[]> {
    async function* stream(): AsyncGenerator<Uint8Array> {
      yield* parts;
    }
    const frames: string[] = [];
    for await (const whole of readFrames(stream())) frames.push(Buffer.from(whole).toString("hex"));
    return frames;
  }

  it("are found again wherever the stream is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 }),
        fc.integer({ min: 1, max: 200 }),
        async (messages, step) => {
          const stream = Buffer.concat(messages.map(frame));
          const parts: Uint8Array[] = [];
          for (let offset = 0; offset < stream.length; offset += step)
            parts.push(stream.subarray(offset, offset + step));
          assert.deepEqual(
            await read(parts),
            messages.map((whole) => Buffer.from(whole).toString("hex")),
          );
        },
      ),
      { seed: 4, numRuns: 200 },
    );
  });

  it("MalformedMessage: cut off, or announced too long", async () => {
    await assert.rejects(read([frame(Uint8Array.of(1, 2, 3)).subarray(0, 3)]), MalformedMessage);
    await assert.rejects(read([Uint8Array.of(0x80)]), MalformedMessage);
    await assert.rejects(read([encodeVarint(MAX_FRAME_BYTES + 1)]), MalformedMessage);
  });
});
