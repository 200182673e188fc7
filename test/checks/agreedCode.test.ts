// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { agreedFiles, checkAgreedCode } from "../../scripts/checks/agreedCode.ts";

/** The roots must exist; these are empty. */
const ROOTS = ["src/update/verifyArtifact.ts", "src/learning/agreedLoss.ts", "src/round/scoreUpdates.ts"].map(
  (path) => ({ path, text: "" }),
);

const judge = (text: string, path = "src/aggregation/mean.ts"): string[] =>
  checkAgreedCode([...ROOTS, { path, text }]).map(({ line, message }) => `${line}: ${message}`);

const FORBIDDEN: readonly (readonly [code: string, reason: RegExp])[] = [
  ["Math.exp(x)", /Math\.exp may differ/],
  ["Math.log(x)", /Math\.log/],
  ["Math.log2(x)", /Math\.log2/],
  ["Math.pow(x, 2)", /Math\.pow/],
  ["Math.round(x)", /Math\.round/],
  ["Math.hypot(x, y)", /Math\.hypot/],
  ["Math.cbrt(x)", /Math\.cbrt/],
  ["Math.random()", /Math\.random/],
  ["Math.sin(x)", /Math\.sin/],
  ["Math\n  .tanh(x)", /Math\.tanh/],
  ["const { exp } = Math;", /taken apart/],
  ['Math["exp"](x)', /taken apart/],
  ["x ** 2", /\*\*/],
  ["x **= 2", /\*\*/],
  ["`${Math.exp(1)}`", /Math\.exp/],
  ["ids.sort()", /default sort/],
  ["ids.toSorted( )", /default sort/],
  ["new Date(0)", /no time/],
  ["Date.now()", /no time/],
  ["performance.now()", /no time/],
  ["a.localeCompare(b)", /locale/],
  ["n.toLocaleString()", /locale/],
  ["new Intl.Collator()", /locale/],
  ["crypto.getRandomValues(bytes)", /beacon/],
  ["randomBytes(32)", /beacon/],
  ["process.env.SEED", /environment/],
];

const ALLOWED = [
  "Math.floor(x) + Math.sqrt(y) + Math.abs(z) + Math.trunc(a) + Math.min(b, c) + Math.imul(d, e) + Math.fround(f)",
  "Math.PI * 2",
  "2n ** 64n",
  "2n ** BigInt(bits)",
  "BigInt(base) ** 3n",
  "ids.sort((a, b) => a - b)",
  "// Math.exp, Date.now() and ids.sort() are for others",
  'throw new RangeError("Math.exp(x) ** 2 of a Date")',
  "layout.process(x); candidate.Date",
  "const updateDate = 1;",
];

describe("agreed code", () => {
  for (const [code, reason] of FORBIDDEN) {
    it(`refuses ${code.replace(/\s+/g, " ")}`, () => {
      const messages = judge(code);
      assert.equal(messages.length, 1, messages.join("; ") || "nothing said");
      assert.match(messages[0] ?? "", reason);
    });
  }
  for (const code of ALLOWED) it(`allows ${code}`, () => assert.deepEqual(judge(code), []));

  it("names the line", () => assert.match(judge("const a = 1;\n\nMath.exp(a);")[0] ?? "", /^3: /));

  it("covers its folders, and what its roots import at run time", () => {
    const files = [
      {
        path: "src/update/verifyArtifact.ts",
        text: 'import { decode } from "./decode.ts";\nimport type { P } from "./prepare.ts";',
      },
      { path: "src/update/decode.ts", text: 'import { bits } from "./bits.ts";' },
      { path: "src/update/bits.ts", text: "" },
      { path: "src/update/prepare.ts", text: "Math.exp(1)" },
      { path: "src/incentives/shapley.ts", text: "" },
      { path: "src/node/runRound.ts", text: "Date.now()" },
      ...ROOTS.slice(1),
    ];
    assert.deepEqual([...agreedFiles(files)].sort(), [
      "src/incentives/shapley.ts",
      "src/learning/agreedLoss.ts",
      "src/round/scoreUpdates.ts",
      "src/update/bits.ts",
      "src/update/decode.ts",
      "src/update/verifyArtifact.ts",
    ]);
    assert.deepEqual(checkAgreedCode(files), []);
  });

  it("a root that was renamed does not leave the check unnoticed", () => {
    const [violation] = checkAgreedCode(ROOTS.slice(1));
    assert.equal(violation?.path, "src/update/verifyArtifact.ts");
    assert.match(violation?.message ?? "", /does not exist/);
  });
});
