// SPDX-License-Identifier: Apache-2.0
/** What every text of the repository must have, and must not: licence headers; unfinished marks; one developer's paths. */
import { lineAt, type SourceFile, type Violation } from "./source.ts";

/** Circuits include circomlib, and snarkjs writes the verifiers; both are under GPL-3.0 (see NOTICE). */
const GPL = ["circuits/", "contracts/verifiers/"];

const SOURCE = /\.(?:ts|mts|cts|js|mjs|cjs|sol|circom|sh)$|^\.ci\/run$/;
const HEADER_LINES = 3;

interface Rule {
  readonly applies: (path: string) => boolean;
  /** Must have the flag `g`. */
  readonly pattern: RegExp;
  readonly message: (match: string) => string;
}

const RULES: readonly Rule[] = [
  {
    applies: () => true,
    pattern: /(?<![\w.~:/-])\/(?:home|root|Users|workspace|work|mnt)\/[\w.-]+|\b[A-Z]:\\Users\\/g,
    message: (path) => `names a place on somebody's machine (${path})`,
  },
  {
    applies: (path) => !path.startsWith("test/"),
    pattern: /\.\.\/shared\//g,
    message: () => "reads a folder outside the repository",
  },
  {
    applies: (path) => SOURCE.test(path),
    pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/g,
    message: (mark) => `${mark}: finish it or open an issue`,
  },
  {
    applies: (path) => path.endsWith(".test.ts"),
    pattern: /\b(?:test|it|describe|suite)\.only\s*\(|\bonly:\s*true\b/g,
    message: () => "keeps all other tests from running",
  },
  {
    applies: () => true,
    pattern: /^(?:<{7} |>{7} |={7}$)/gm,
    message: () => "is a left-over merge conflict",
  },
];

/** Files whose subject these rules are, so that they show what they forbid. */
const ABOUT_RULES = /^(?:scripts|test)\/checks\/text(?:\.test)?\.ts$/;

function checkHeader({ path, text }: SourceFile): Violation[] {
  if (!SOURCE.test(path)) return [];
  const wanted = GPL.some((folder) => path.startsWith(folder)) ? "GPL-3.0" : "Apache-2.0";
  const header = text.split("\n").slice(0, HEADER_LINES).join("\n");
  const found = /SPDX-License-Identifier: (\S+)/.exec(header)?.[1];
  if (found === wanted) return [];
  return [{ path, line: 1, message: `SPDX-License-Identifier is ${found ?? "absent"}; here it is ${wanted}` }];
}

/** @param files every text file under version control */
export function checkText(files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) => {
    const { path, text } = file;
    const rules = ABOUT_RULES.test(path) ? [] : RULES.filter(({ applies }) => applies(path));
    const found = rules.flatMap(({ pattern, message }) =>
      [...text.matchAll(pattern)].map((match) => ({
        path,
        line: lineAt(text, match.index),
        message: message(match[0]),
      })),
    );
    return [...checkHeader(file), ...found];
  });
}
