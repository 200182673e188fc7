// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ProtobufWriter } from "../../../src/learning/onnx/protobuf.ts";

const hex = (writer: ProtobufWriter): string => Buffer.from(writer.finish()).toString("hex");

describe("ProtobufWriter", () => {
  it("writes the examples of the encoding guide", () => {
    assert.equal(hex(new ProtobufWriter().integer(1, 150)), "089601");
    assert.equal(hex(new ProtobufWriter().string(2, "testing")), "120774657374696e67");
    assert.equal(hex(new ProtobufWriter().message(3, new ProtobufWriter().integer(1, 150))), "1a03089601");
  });

  it("writes negative integers as ten-byte two's complement", () => {
    assert.equal(hex(new ProtobufWriter().integer(1, -2)), "08feffffffffffffffff01");
  });

  it("writes zero, 64-bit integers, and field numbers above 15", () => {
    assert.equal(hex(new ProtobufWriter().integer(1, 0)), "0800");
    assert.equal(hex(new ProtobufWriter().integer(1, 2n ** 63n - 1n)), "08ffffffffffffffff7f");
    assert.equal(hex(new ProtobufWriter().integer(20, 1)), "a00101");
  });

  it("writes floats in little-endian order", () => {
    assert.equal(hex(new ProtobufWriter().float(2, 1)), "150000803f");
  });
});
