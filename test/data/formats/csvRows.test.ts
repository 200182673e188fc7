// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { csvRows } from "../../../src/data/formats/csvRows.ts";

const quoted = (field: string): string => `"${field.replaceAll('"', '""')}"`;

describe("rows of text fields", () => {
  it("quoted fields give back any text, plain ones any without commas, quotes and line ends", () => {
    const plain = fc.stringMatching(/^[a-z ]{0,5}$/).map((field) => ({ field, text: field }));
    const any = fc
      .string({ unit: fc.constantFrom("a", ",", '"', "\n", "\r", "é") })
      .map((field) => ({ field, text: quoted(field) }));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(any, plain, any), { minLength: 1, maxLength: 5 }),
        fc.constantFrom("\n", "\r\n"),
        fc.boolean(),
        (rows, end, closed) => {
          const text = rows.map((row) => row.map((field) => field.text).join(",")).join(end) + (closed ? end : "");
          assert.deepEqual(
            csvRows(text, 3, "a"),
            rows.map((row) => row.map(({ field }) => field)),
          );
        },
      ),
    );
  });

  const damages: Record<string, string> = {
    "a column too few": "a,b\na\n",
    "a column too many": "a,b,c",
    "an open quote": 'a,"b',
    "text after a quote": 'a,"b"c',
    "a carriage return alone": "a,b\rc,d",
    "no rows": "",
    "an empty line": "a,b\n\na,b",
  };
  for (const [name, text] of Object.entries(damages))
    it(`BAD_ROW: ${name}`, () => {
      assert.throws(() => csvRows(text, 2, "a.csv"), { code: "BAD_ROW", message: /a\.csv/ });
    });
});
