// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { parseCsv, readCsv } from "../../src/data/readCsv.ts";
import { readDigits } from "../../src/data/readDigits.ts";

const OPTIONS = { inputs: 2, classes: 3 };

describe("parseCsv", () => {
  it("reads features, scale and labels, with or without a last newline or carriage returns", () => {
    const expected = {
      features: Float32Array.from([0.5, -1, 1e3, 0.25]),
      labels: Int32Array.from([2, 0]),
      inputs: 2,
      classes: 3,
      size: 2,
    };
    for (const text of [
      "1,-2,2\n2e3,.5,0",
      "1,-2,2\n2e3,.5,0\n",
      "1,-2,2\r\n2e3,.5,0\r\n",
      " 1 , -2 ,2\n+2E+3,0.5,0\n",
    ]) {
      assert.deepEqual(parseCsv(text, { ...OPTIONS, scale: 0.5 }, "text"), expected);
    }
  });

  it("skips a header only when told to", () => {
    assert.equal(parseCsv("a,b,label\n1,2,0\n", { ...OPTIONS, header: true }, "text").size, 1);
    assert.throws(() => parseCsv("a,b,label\n1,2,0\n", OPTIONS, "text"), { code: "BAD_ROW" });
  });

  it("turns −0 into +0, which has a canonical encoding", () => {
    assert.ok(Object.is(parseCsv("-0,1,0", OPTIONS, "text").features[0], 0));
  });

  const badRows: Record<string, string> = {
    "no rows": "",
    "a row with a column too few": "1,2,0\n1,2\n",
    "a row with a column too many": "1,2,3,0\n",
    "an empty line in the middle": "1,2,0\n\n1,2,0\n",
    "an empty field": "1,,0\n",
    text: "1,x,0\n",
    hexadecimal: "1,0x10,0\n",
    Infinity: "1,Infinity,0\n",
    NaN: "NaN,1,0\n",
    "a number beyond float32": "1,1e39,0\n",
    "a label above the classes": "1,2,3\n",
    "a negative label": "1,2,-1\n",
    "a fractional label": "1,2,0.5\n",
  };
  for (const [name, text] of Object.entries(badRows)) {
    it(`BAD_ROW: ${name}`, () => assert.throws(() => parseCsv(text, OPTIONS, "text"), { code: "BAD_ROW" }));
  }

  it("names the line", () => {
    assert.throws(
      () => parseCsv("1,2,0\n1,2,0\n1,oops,0\n", OPTIONS, "shard.csv"),
      /shard\.csv, line 3, column 2: "oops"/,
    );
  });
});

describe("readCsv", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "foedus-csv-"));
  });
  after(() => rm(folder, { recursive: true }));

  it("reads plain and gzipped files alike", async () => {
    await writeFile(join(folder, "plain.csv"), "1,2,0\n3,4,1\n");
    await writeFile(join(folder, "packed.csv.gz"), gzipSync("1,2,0\n3,4,1\n"));
    assert.deepEqual(
      await readCsv(join(folder, "plain.csv"), OPTIONS),
      await readCsv(join(folder, "packed.csv.gz"), OPTIONS),
    );
  });

  it("TOO_LARGE: a plain file above the limit, and a small one that inflates above it", async () => {
    await writeFile(join(folder, "large.csv"), "1,2,0\n".repeat(1000));
    await writeFile(join(folder, "bomb.csv.gz"), gzipSync("1,2,0\n".repeat(100_000)));
    await assert.rejects(readCsv(join(folder, "large.csv"), { ...OPTIONS, maxBytes: 5000 }), { code: "TOO_LARGE" });
    await assert.rejects(readCsv(join(folder, "bomb.csv.gz"), { ...OPTIONS, maxBytes: 5000 }), { code: "TOO_LARGE" });
  });

  it("MISSING_FILE, and UNREADABLE for a damaged archive", async () => {
    await assert.rejects(readCsv(join(folder, "nowhere.csv"), OPTIONS), { code: "MISSING_FILE" });
    await writeFile(join(folder, "damaged.csv.gz"), gzipSync("1,2,0\n").subarray(0, -4));
    await assert.rejects(readCsv(join(folder, "damaged.csv.gz"), OPTIONS), { code: "UNREADABLE" });
  });
});

describe("readDigits", () => {
  it("reads the committed digits: 1 797 images in sixteenths", async () => {
    const digits = await readDigits(fileURLToPath(new URL("../../examples/digits/digits.csv.gz", import.meta.url)));
    assert.equal(digits.size, 1797);
    assert.equal(digits.features.length, 1797 * 64);
    const histogram = new Array<number>(10).fill(0);
    for (const label of digits.labels) histogram[label]! += 1;
    assert.deepEqual(histogram, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    assert.ok(digits.features.every((pixel) => Number.isInteger(pixel * 16) && pixel >= 0 && pixel <= 1));
    assert.deepEqual(
      [...digits.features.slice(0, 6)],
      [0, 0, 5, 13, 9, 1].map((pixel) => pixel / 16),
    );
    assert.equal(digits.labels[1], 1);
  });
});
