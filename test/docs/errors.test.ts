// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { LINKS } from "../../src/audit/links.ts";
import { REFUSALS } from "../../src/protocol/refusals.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PAGE = readFileSync(join(ROOT, "docs/errors.md"), "utf8");

/** Sources below a folder, read. */
function sources(folder: string, ending: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending))
    .map((name) => readFileSync(join(ROOT, folder, name), "utf8"));
}

/** The page between a heading and the next of its level. */
function section(heading: string): string {
  const start = PAGE.indexOf(`\n## ${heading}\n`);
  assert.ok(start >= 0, `docs/errors.md has no section "${heading}"`);
  const end = PAGE.indexOf("\n## ", start + 1);
  return PAGE.slice(start, end < 0 ? undefined : end);
}

/** Names in code font that begin a row, or stand anywhere in the prose. */
function namesIn(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(/`(\w+)`/g)].map(([, name]) => name as string).filter((name) => pattern.test(name));
}

/** The cells of each row, whatever the padding. */
function rowsOf(text: string): string[][] {
  return [...text.matchAll(/^\|(.*)\|$/gm)].map(([, row]) => (row as string).split("|").map((cell) => cell.trim()));
}

const unique = (names: Iterable<string>): string[] => [...new Set(names)].sort();

/**
 * Codes in the source: the first argument of an error's constructor, the members of a union of codes, and the codes that pages give. Refusals
 * are constructed by `refuse` and have a table of their own; some names are both (an own error of the grid is OFF_GRID too).
 */
function codesInSource(): string[] {
  const found: string[] = [];
  for (const text of sources("src", ".ts")) {
    for (const [, code] of text.matchAll(/(?:Error|super)\(\s*"([A-Z][A-Z_]+)"/g)) found.push(code as string);
    for (const [, code] of text.matchAll(/^\s*\| "([A-Z][A-Z_]+)"/gm)) found.push(code as string);
    for (const [, code] of text.matchAll(/\bcode: "([A-Z][A-Z_]+)"/g)) found.push(code as string);
    for (const [, code] of text.matchAll(/FoedusError \? error\.code : "([A-Z]+)"/g)) found.push(code as string);
  }
  return unique(found);
}

describe("docs/errors.md", () => {
  it("has every refusal with its number and sentence, in their order", () => {
    const rows = Object.entries(REFUSALS).map(([name, { code, sentence }]) => [String(code), `\`${name}\``, sentence]);
    assert.deepEqual(rowsOf(section("Refusals of updates")).slice(2), rows);
  });

  it("has every link of the audit with its claim", () => {
    const rows = Object.entries(LINKS).map(([link, claim]) => [`\`${link}\``, claim]);
    assert.deepEqual(rowsOf(section("Links of the audit")).slice(2), rows);
  });

  it("has every error code of the source, and no other", () => {
    const refusals = Object.keys(REFUSALS);
    const documented = unique(namesIn(section("Error codes"), /^[A-Z][A-Z_]+$/));
    const inSource = codesInSource();
    assert.ok(inSource.length > 50, `only ${inSource.length} codes were found; has the way of writing them changed?`);
    assert.deepEqual(
      inSource.filter((code) => !documented.includes(code) && !refusals.includes(code)),
      [],
      "missing from the page",
    );
    assert.deepEqual(
      documented.filter((code) => !inSource.includes(code)),
      [],
      "on the page and nowhere else",
    );
  });

  it("has every failure of a round", () => {
    const declared =
      /type RoundFailure = ([^;]+);/.exec(readFileSync(join(ROOT, "src/protocol/schedule.ts"), "utf8"))?.[1] ?? "";
    const failures = unique([...declared.matchAll(/"(\w+)"/g)].map(([, name]) => name as string));
    assert.equal(failures.length, 4);
    assert.deepEqual(unique(namesIn(section("Failures of rounds"), /^(?:No|Too)/)), failures);
  });

  it("has every error of the contracts, and no other", () => {
    const declared = [...sources("contracts/interfaces", ".sol"), ...sources("contracts/verifiers", ".sol")].flatMap(
      (text) => [...text.matchAll(/^\s*error (\w+)\(/gm)].map(([, name]) => name as string),
    );
    const text = section("Contract errors");
    const documented = namesIn(
      text.slice(text.indexOf("### ")),
      /^(?:Consortium|TrainingLedger|ProofOfTraining|ShapleyRewards|ReportedLoss)[A-Z0-9]/,
    );
    assert.deepEqual(unique(documented), unique(declared));
    assert.equal(documented.length, declared.length, "an error stands twice");
  });
});
