// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import { ByteAccount, denseBytes, uploadBytes } from "../../src/update/byteAccounting.ts";
import { encodePayload } from "../../src/update/payload.ts";

describe("ByteAccount", () => {
  it("an upload is 32 + payload + 64 + 32 bytes", () => assert.equal(uploadBytes(1_000), 1_128));

  it("up and down, of each client and of the federation", () => {
    const account = new ByteAccount();
    account.upload(7, 100);
    account.upload(7, 50);
    account.upload(3, 10);
    account.download(7, 400);
    account.download(9, 40);
    const { clients, federation } = account.report();
    assert.deepEqual(
      [...clients],
      [
        [3, { up: 138, down: 0, total: 138 }],
        [7, { up: 406, down: 400, total: 806 }],
        [9, { up: 0, down: 40, total: 40 }],
      ],
    );
    assert.deepEqual(federation, { up: 544, down: 440, total: 984 });
  });
});

describe("uplink against dense float32", () => {
  const size = 100_000;
  const random = keyedRandom("uplink");
  // Normal values with a heavy tail, as trained updates have, on 2^-18.
  const values = Int32Array.from({ length: size }, () => random.normal() * Math.exp(random.normal()) * 2_000);
  const ratioOf = (codec: CodecConfig): number => uploadBytes(encodePayload(values, codec).length) / denseBytes(size);

  for (const [share, most] of [
    [0.01, 0.0075],
    [0.05, 0.03],
  ] as const)
    it(`top-k of ${share} with int8 takes at most ${100 * most} % of it`, () => {
      const ratio = ratioOf({ name: "topk-int8", blockSize: 1_024, keep: share * size });
      assert.ok(ratio <= most, String(ratio));
    });
  it("int8 takes at most a quarter, int16 at most a half", () => {
    assert.ok(ratioOf({ name: "int8", blockSize: 1_024 }) < 0.25);
    assert.ok(ratioOf({ name: "int16", blockSize: 1_024 }) < 0.5);
  });
});
