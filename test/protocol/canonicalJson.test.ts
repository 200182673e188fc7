// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { byCodeUnit, canonicalJson, type Json, parseCanonicalJson } from "../../src/protocol/canonicalJson.ts";

const malformed = { code: "MALFORMED_INPUT" };

describe("canonicalJson", () => {
  it("writes the example of RFC 8785 §3.2.2 and §3.2.3", () => {
    const text = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`;
    assert.equal(
      canonicalJson(JSON.parse(text)),
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });
  it("sorts keys by UTF-16 code unit: the keys of RFC 8785 §3.2.3", () => {
    const keys = ["€", "\r", "\ufb33", "1", "😀", "\u0080", "ö"];
    const sorted = ["\r", "1", "\u0080", "ö", "€", "😀", "\ufb33"];
    const text = canonicalJson(Object.fromEntries(keys.map((key) => [key, 0])));
    assert.equal(text, `{${sorted.map((key) => `${JSON.stringify(key)}:0`).join(",")}}`);
    assert.deepEqual(keys.toSorted(byCodeUnit), sorted);
  });
  // RFC 8785, Appendix B: the bits of a double and its text.
  for (const [bits, text] of [
    ["0000000000000000", "0"],
    ["8000000000000000", "0"],
    ["0000000000000001", "5e-324"],
    ["7fefffffffffffff", "1.7976931348623157e+308"],
    ["4340000000000000", "9007199254740992"],
    ["4430000000000000", "295147905179352830000"],
    ["44b52d02c7e14af5", "9.999999999999997e+22"],
    ["44b52d02c7e14af6", "1e+23"],
    ["444b1ae4d6e2ef50", "1e+21"],
    ["3eb0c6f7a0b5ed8d", "0.000001"],
    ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
    ["41b3de4355555553", "333333333.3333332"],
    ["becbf647612f3696", "-0.0000033333333333333333"],
  ] as const) {
    it(`writes the double ${bits} as ${text}`, () => {
      assert.equal(canonicalJson(Buffer.from(bits, "hex").readDoubleBE()), text);
    });
  }
  it("refuses what JSON has no number for, however deep", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      assert.throws(() => canonicalJson(value), malformed);
      assert.throws(() => canonicalJson({ a: [{ b: value }] }), malformed);
    }
  });
  it("refuses half a surrogate pair (RFC 8785 §3.2.2.2)", () => {
    assert.throws(() => canonicalJson("\ud800"), malformed);
    assert.throws(() => canonicalJson({ "\udc00": 1 }), malformed);
  });
  it("does not depend on the order in which keys were added", () => {
    assert.equal(canonicalJson({ b: 1, a: 2, 10: 3, 9: 4 }), '{"10":3,"9":4,"a":2,"b":1}');
    assert.equal(canonicalJson({ 9: 4, a: 2, 10: 3, b: 1 }), '{"10":3,"9":4,"a":2,"b":1}');
  });
});

describe("parseCanonicalJson", () => {
  it("gives back the value that was written", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = canonicalJson(value as Json);
        const parsed = parseCanonicalJson(text);
        // JSON has no −0, so values are compared as JSON sees them.
        assert.deepEqual(parsed, JSON.parse(JSON.stringify(value)));
        assert.equal(canonicalJson(parsed as Json), text);
      }),
      { seed: 22, numRuns: 300 },
    );
  });
  for (const text of [
    '{"b":1,"a":2}',
    '{"a": 1}',
    " 1",
    "1\n",
    "1.0",
    "1e2",
    "-0",
    "1E+21",
    "9007199254740993",
    '"\\u0041"',
    '"\\/"',
    '{"a":1,"a":1}',
    "\ufeff1",
    "",
    "{",
    "NaN",
    "01",
    "[1,]",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseCanonicalJson(text), malformed));
  }
});
