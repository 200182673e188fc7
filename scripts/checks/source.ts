// SPDX-License-Identifier: Apache-2.0
/**
 * Just enough reading of TypeScript, JavaScript, Solidity and circom for checks by pattern: which characters are code, and what
 * a file imports. A full parser would know more than the checks ask.
 */

/** A file of the repository: its path from the root, with `/`, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** One place that breaks a rule. `line` counts from 1. */
export interface Violation {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

export interface Import {
  /** As written: `./grid.ts`, `ethers`, `node:fs`. */
  readonly specifier: string;
  readonly line: number;
  /** Erased before the program runs: `import type …`. */
  readonly typeOnly: boolean;
}

/** Words after which a slash begins a regular expression rather than a division. */
const BEFORE_EXPRESSION =
  /(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|throw|new|do|else|instanceof|yield|await)$/;

/** @returns the 1-based line of an offset */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1)) line += 1;
  return line;
}

function startsRegularExpression(codeBefore: string): boolean {
  const before = codeBefore.trimEnd();
  const last = before.at(-1);
  return last === undefined || "(,=:[!&|?{};+-*%~^<>".includes(last) || BEFORE_EXPRESSION.test(before);
}

/**
 * The text with comments and the insides of strings, template literals and regular expressions turned into spaces. Offsets and
 * line breaks stay as they are, and so do quotes, so a match can be looked up in the original. Code inside `${…}` stays.
 */
export function maskSource(text: string): string {
  const out = text.split("");
  const blank = (from: number, to: number): void => {
    for (let at = from; at < to; at++) if (out[at] !== "\n") out[at] = " ";
  };
  /** For each open `${`: how many braces are open inside it. */
  const templates: number[] = [];
  let at = 0;

  const endOfQuoted = (from: number, quote: string): number => {
    let end = from;
    while (end < text.length && text[end] !== quote && text[end] !== "\n") end += text[end] === "\\" ? 2 : 1;
    return Math.min(end, text.length);
  };
  const skipTemplate = (from: number): number => {
    let end = from;
    while (end < text.length && text[end] !== "`" && !text.startsWith("${", end)) end += text[end] === "\\" ? 2 : 1;
    blank(from, Math.min(end, text.length));
    if (text[end] !== "$") return end + 1;
    templates.push(0);
    return end + 2;
  };
  const endOfRegularExpression = (from: number): number => {
    let inClass = false;
    let end = from;
    for (; end < text.length && text[end] !== "\n"; end++) {
      const char = text[end];
      if (char === "\\") end += 1;
      else if (char === "[") inClass = true;
      else if (char === "]") inClass = false;
      else if (char === "/" && !inClass) break;
    }
    return Math.min(end, text.length);
  };

  while (at < text.length) {
    const char = text[at];
    const open = templates.length - 1;
    if (text.startsWith("//", at)) {
      const end = text.indexOf("\n", at);
      blank(at, end === -1 ? text.length : end);
      at = end === -1 ? text.length : end;
    } else if (text.startsWith("/*", at)) {
      const end = text.indexOf("*/", at + 2);
      blank(at, end === -1 ? text.length : end + 2);
      at = end === -1 ? text.length : end + 2;
    } else if (char === '"' || char === "'") {
      const end = endOfQuoted(at + 1, char);
      blank(at + 1, end);
      at = end + 1;
    } else if (char === "`") {
      at = skipTemplate(at + 1);
    } else if (char === "{" && open >= 0) {
      templates[open] = (templates[open] ?? 0) + 1;
      at += 1;
    } else if (char === "}" && templates[open] === 0) {
      templates.pop();
      at = skipTemplate(at + 1);
    } else if (char === "}" && open >= 0) {
      templates[open] = (templates[open] ?? 0) - 1;
      at += 1;
    } else if (char === "/" && startsRegularExpression(out.slice(Math.max(0, at - 40), at).join(""))) {
      const end = endOfRegularExpression(at + 1);
      blank(at + 1, end);
      at = end + 1;
    } else {
      at += 1;
    }
  }
  return out.join("");
}

/** Where a module name stands in masked code: after `from`, `import`, `import(`, `require(`,
 * `createRequire(…)(`, `new Worker(new URL(`. */
const MODULE_NAME =
  /\b(?:from\s*|import\s*\(?\s*|(?:require|createRequire\s*\([^()]*\))(?:\.resolve)?\s*\(\s*|new\s+Worker\s*\(\s*new\s+URL\s*\(\s*)(["'])/g;

/** @returns where the `import` or `export` that a `from` at `offset` belongs to begins */
function statementStart(masked: string, offset: number): number {
  const before = masked.slice(0, offset);
  return Math.max(0, before.lastIndexOf("import"), before.lastIndexOf("export"));
}

/**
 * What a TypeScript, JavaScript or Solidity file imports, in order. Names built at run time cannot be seen.
 *
 * @param masked the file's text after `maskSource`
 */
export function importsOf({ text }: SourceFile, masked: string = maskSource(text)): Import[] {
  return [...masked.matchAll(MODULE_NAME)].flatMap((match) => {
    const quote = match[1] ?? "";
    const start = match.index + match[0].length;
    const end = masked.indexOf(quote, start);
    if (end === -1) return [];
    const specifier = text.slice(start, end);
    const statement = masked.slice(statementStart(masked, match.index), start);
    return [
      {
        specifier,
        line: lineAt(text, match.index),
        typeOnly: /^(?:import|export)\s+type\b(?!\s*,|\s+from\b)/.test(statement),
      },
    ];
  });
}

/** The path that a relative import of `from` means: `./../protocol/grid.ts` from `src/update/clip.ts` is `src/protocol/grid.ts`. */
export function resolveRelative(from: string, specifier: string): string {
  const folders = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") folders.pop();
    else if (part !== ".") folders.push(part);
  }
  return folders.join("/");
}
