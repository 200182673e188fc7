// SPDX-License-Identifier: Apache-2.0
/**
 * Agreed code gives the same bits on every machine: validators compare its results by hash, and the audit computes them again
 * years later. ECMAScript fixes + − × ÷ and √, but leaves exp, log, pow, the trigonometric functions and their kin to the engine;
 * dates, locales and the system's random source differ by nature; a default `sort()` compares numbers as text.
 * `src/protocol/math.ts` has deterministic versions, pinned by vectors.
 */
import { importsOf, lineAt, maskSource, resolveRelative, type SourceFile, type Violation } from "./source.ts";

/** Agreed as a whole. */
const FOLDERS = ["src/protocol/", "src/aggregation/", "src/incentives/"];

/** Agreed together with all they import: decoding and judging an update; the engine's loss that scores rest on. */
const ROOTS = ["src/update/verifyArtifact.ts", "src/learning/agreedLoss.ts", "src/round/scoreUpdates.ts"];

/** Functions of `Math` that the language defines exactly. */
const EXACT_MATH = new Set(["abs", "ceil", "clz32", "floor", "fround", "imul", "max", "min", "sign", "sqrt", "trunc"]);

interface Rule {
  /** Applied to masked code; must have the flag `g`. */
  readonly pattern: RegExp;
  /** @returns why the match is wrong, or undefined when it is fine after all */
  readonly judge: (match: RegExpMatchArray, code: string) => string | undefined;
}

const always = (message: string) => (): string => message;

/** `2n ** k`: both sides must be BigInt, or the language throws. */
function isBigIntPower(match: RegExpMatchArray, code: string): boolean {
  const at = match.index ?? 0;
  return /\b\d+n\s*$/.test(code.slice(Math.max(0, at - 40), at)) || /^\s*\d+n\b/.test(code.slice(at + match[0].length));
}

const RULES: readonly Rule[] = [
  {
    pattern: /(?<![\w$.])Math\b(?:\s*\??\.\s*(\w+))?/g,
    judge: ([, name]) => {
      if (name === undefined) return "Math is taken apart: write Math.name, so that it can be checked";
      if (EXACT_MATH.has(name) || /^[A-Z][A-Z0-9_]*$/.test(name)) return undefined;
      return `Math.${name} may differ between machines: src/protocol has deterministic functions`;
    },
  },
  {
    pattern: /\*\*=?/g,
    judge: (match, code) =>
      isBigIntPower(match, code) ? undefined : "** on floating-point numbers may differ between machines",
  },
  { pattern: /\.\s*(?:sort|toSorted)\s*\(\s*\)/g, judge: always("a default sort compares as text: give it an order") },
  {
    pattern: /(?<![\w$.])(?:Date|performance|Temporal)\b/g,
    judge: always("agreed code knows no time: blocks are its clock"),
  },
  {
    pattern: /\b(?:localeCompare|toLocale\w+|Intl)\b/g,
    judge: always("depends on the machine's locale: compare code units or bytes"),
  },
  {
    pattern: /\b(?:getRandomValues|randomBytes|randomUUID|randomInt|randomFillSync|randomFill)\b/g,
    judge: always("agreed code draws from the run's beacon, never from the system"),
  },
  { pattern: /(?<![\w$.])process\b/g, judge: always("agreed code knows no environment: take it as a parameter") },
];

/** @returns the paths of agreed code among `files`: the folders, the roots, and everything these import at run time */
export function agreedFiles(files: readonly SourceFile[]): Set<string> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const agreed = new Set<string>();
  const waiting = files
    .map(({ path }) => path)
    .filter((path) => ROOTS.includes(path) || FOLDERS.some((folder) => path.startsWith(folder)));
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const file = byPath.get(path);
    if (file === undefined || agreed.has(path)) continue;
    agreed.add(path);
    for (const { specifier, typeOnly } of importsOf(file)) {
      if (specifier.startsWith(".") && !typeOnly) waiting.push(resolveRelative(path, specifier));
    }
  }
  return agreed;
}

/** @param files every TypeScript source below `src/` */
export function checkAgreedCode(files: readonly SourceFile[]): Violation[] {
  const agreed = agreedFiles(files);
  const missing = ROOTS.filter((root) => !agreed.has(root)).map((path) => ({
    path,
    line: 1,
    message: "is named as agreed code and does not exist: correct the list in scripts/checks/agreedCode.ts",
  }));
  const found = files
    .filter(({ path }) => agreed.has(path))
    .flatMap(({ path, text }) => {
      const code = maskSource(text);
      return RULES.flatMap(({ pattern, judge }) =>
        [...code.matchAll(pattern)].flatMap((match) => {
          const message = judge(match, code);
          return message === undefined ? [] : [{ path, line: lineAt(text, match.index), message }];
        }),
      );
    });
  return [...missing, ...found];
}
