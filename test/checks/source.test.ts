// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { importsOf, lineAt, maskSource, resolveRelative } from "../../scripts/checks/source.ts";

const masked = (text: string): string => maskSource(text).replace(/ +/g, " ").trim();

describe("maskSource", () => {
  it("keeps offsets and line breaks", () => {
    const text = 'const a = "x\\"y"; // end\n/* two\nlines */ const b = `${a + `in`} out`;';
    const out = maskSource(text);
    assert.equal(out.length, text.length);
    assert.equal(out.split("\n").length, text.split("\n").length);
    assert.equal(out.indexOf("const b"), text.indexOf("const b"));
  });
  it("removes comments, strings and regular expressions", () => {
    assert.equal(masked("a(); // Math.exp"), "a();");
    assert.equal(masked("a(\"Math.exp\", 'Math.exp')"), "a(\" \", ' ')");
    assert.equal(masked("const r = /Math.exp[/]'/g; f()"), "const r = / /g; f()");
    assert.equal(masked("return /'/.test(x)"), "return / /.test(x)");
  });
  it("keeps code inside template literals, nested ones too", () => {
    assert.match(maskSource("`a ${Math.exp(1)} b ${`c ${Math.log(2)}`} d`"), /Math\.exp\(1\).*Math\.log\(2\)/);
    assert.match(maskSource("`${ {a: {b: 1}} } text` + Math.pow"), /\+ Math\.pow/);
    assert.doesNotMatch(maskSource("`Math.exp ${1} Math.exp`"), /Math/);
  });
  it("takes a division for what it is", () => {
    assert.match(maskSource("const x = a / b; const y = c / Math.exp(2);"), /Math\.exp/);
    assert.match(maskSource("const x = f(1) / 2 + arr[0] / Math.exp(2);"), /Math\.exp/);
  });
});

describe("importsOf", () => {
  const specifiers = (text: string): string[] =>
    importsOf({ path: "src/a.ts", text }).map(({ specifier }) => specifier);
  it("finds every form", () => {
    const text = [
      'import a from "./a.ts";',
      'import {\n  b,\n} from "./b.ts";',
      'import "./c.ts";',
      'export { d } from "./d.ts";',
      'const e = await import("./e.ts");',
      'const f = require.resolve("f/g.js");',
      'const h = createRequire(import.meta.url)("h/i.js");',
      'new Worker(new URL("./g.worker.ts", import.meta.url));',
    ].join("\n");
    assert.deepEqual(specifiers(text), [
      "./a.ts",
      "./b.ts",
      "./c.ts",
      "./d.ts",
      "./e.ts",
      "f/g.js",
      "h/i.js",
      "./g.worker.ts",
    ]);
  });
  it("is not fooled by comments, strings and addresses", () => {
    assert.deepEqual(specifiers('// import a from "./a.ts"\nconst s = \'import b from "./b.ts"\';'), []);
    assert.deepEqual(
      specifiers('new URL("../artifacts", import.meta.url); spawn(new URL("../cli/main.ts", import.meta.url));'),
      [],
    );
    assert.deepEqual(specifiers('Array.from("abc")'), []);
  });
  it("tells imports of types, and lines", () => {
    const found = importsOf({
      path: "src/a.ts",
      text: 'import type { A } from "./a.ts";\nimport { type B, b } from "./b.ts";\nexport type { C } from "./c.ts";',
    });
    assert.deepEqual(
      found.map(({ typeOnly, line }) => [typeOnly, line]),
      [
        [true, 1],
        [false, 2],
        [true, 3],
      ],
    );
  });
  it("reads Solidity", () => {
    const text = 'import {A, B} from "../types/A.sol";\nimport "./B.sol";';
    assert.deepEqual(
      importsOf({ path: "contracts/rounds/C.sol", text }).map(({ specifier }) => specifier),
      ["../types/A.sol", "./B.sol"],
    );
  });
});

describe("paths and lines", () => {
  it("resolves relative imports", () => {
    assert.equal(resolveRelative("src/update/clip.ts", "../protocol/grid.ts"), "src/protocol/grid.ts");
    assert.equal(resolveRelative("src/update/clip.ts", "./../protocol/./grid.ts"), "src/protocol/grid.ts");
  });
  it("counts lines from 1", () => {
    assert.deepEqual(
      [0, 1, 2, 3].map((offset) => lineAt("a\nb\n", offset)),
      [1, 1, 2, 2],
    );
  });
});
