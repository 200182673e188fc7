// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bytes,
  count,
  decimal,
  duration,
  norm,
  percent,
  plural,
  shareOf,
  shorten,
  tokens,
  UNKNOWN,
  words,
} from "../../src/report/format.ts";

test("numbers have separators, a true minus sign, and none before what rounds to zero", () => {
  assert.equal(count(1_214_332), "1,214,332");
  assert.equal(count(999), "999");
  assert.equal(decimal(-1234.5678, 2), "−1,234.57");
  assert.equal(decimal(-0.00004, 4), "0.0000");
  assert.equal(decimal(1234.56789, 4), "1,234.5679");
  assert.equal(percent(0.93611), "93.6%");
  assert.equal(norm(0), "0");
  assert.equal(norm(0.00001), "0.0000");
});

test("what is not known is a dash", () => {
  for (const format of [count, percent, bytes, duration, norm]) {
    assert.equal(format(undefined), UNKNOWN);
    assert.equal(format(Number.NaN), UNKNOWN);
    assert.equal(format(Number.POSITIVE_INFINITY), UNKNOWN);
  }
});

test("sizes and durations take the unit that reads best", () => {
  assert.deepEqual([0, 999, 1000, 5204, 1_400_000].map(bytes), ["0 B", "999 B", "1.0 kB", "5.2 kB", "1.4 MB"]);
  assert.deepEqual([0, 0.84, 0.9994, 0.9996, 4.21, 59.94, 59.96, 72.4, 119.6].map(duration), [
    "0 ms",
    "840 ms",
    "999 ms",
    "1.0 s",
    "4.2 s",
    "59.9 s",
    "1 min 0 s",
    "1 min 12 s",
    "2 min 0 s",
  ]);
});

test("token amounts are cut to four decimals, never rounded up, and beyond 2^53 exact", () => {
  assert.equal(tokens("1000000000000000000000"), "1,000");
  assert.equal(tokens("248113999999999999999"), "248.1139");
  assert.equal(tokens("231940000000000000000"), "231.94");
  assert.equal(tokens("231940000000000000000", "aligned"), "231.9400");
  assert.equal(tokens("123456789012345678901234567890"), "123,456,789,012.3456");
  assert.equal(tokens("0"), "0");
  assert.equal(tokens("000"), "0");
  assert.equal(tokens("1"), "< 0.0001");
  assert.equal(tokens("99999999999999", "aligned"), "< 0.0001");
  assert.equal(tokens("100000000000000"), "0.0001");
  assert.equal(tokens("-1500000000000000000"), "−1.5");
  assert.equal(tokens("1.5"), "1.5", "not a whole number: as it is");
});

test("shares of what is not a positive whole are zero", () => {
  assert.equal(shareOf("1", "4"), 0.25);
  assert.equal(shareOf("1", "0"), 0);
  assert.equal(shareOf("x", "4"), 0);
});

test("hashes keep both ends, short text stays whole, surrogate pairs stay whole", () => {
  assert.equal(shorten(`0x${"ab".repeat(32)}`), "0xababab…ababab");
  assert.equal(shorten("0x1234"), "0x1234");
  assert.equal(shorten("😀".repeat(30)).isWellFormed(), true);
});

test("words", () => {
  assert.equal(words("proofOfTraining"), "Proof of training");
  assert.equal(words("settle"), "Settle");
  assert.deepEqual(
    [plural(1, "round"), plural(0, "round"), plural(1243, "check")],
    ["1 round", "0 rounds", "1,243 checks"],
  );
});
