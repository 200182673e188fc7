// SPDX-License-Identifier: Apache-2.0

/** Markup that is safe to put into a page. Only `html` and `trusted` make it, so a plain string can never pass for it. */
export class Html {
  readonly markup: string;
  constructor(markup: string) {
    this.markup = markup;
  }
}

/** What may stand in a template's gap: text and numbers are escaped, markup is kept, lists are joined, the absent is left out. */
export type Child = Html | string | number | false | null | undefined | readonly Child[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "`": "&#96;",
};

/**
 * Escapes text for element content and for quoted attributes alike. Control characters other than tab and newline become U+FFFD:
 * HTML does not allow them, and NUL is where parsers differ. So do unpaired surrogates, which UTF-8 cannot carry.
 */
export function escapeText(text: string): string {
  return (
    text
      .toWellFormed()
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to be replaced
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\ufffd")
      .replace(/[&<>"'`]/g, (character) => ENTITIES[character] ?? "")
  );
}

/** Template tag: every gap is escaped unless it is markup already. Gaps in attributes must stand in quotes. */
export function html(strings: TemplateStringsArray, ...children: readonly Child[]): Html {
  let markup = strings[0] ?? "";
  for (const [index, child] of children.entries()) markup += markupOf(child) + (strings[index + 1] ?? "");
  return new Html(markup);
}

/** Markup from our own sources (a style sheet, a script), never from a report. */
export function trusted(markup: string): Html {
  return new Html(markup);
}

function markupOf(child: Child): string {
  if (child === undefined || child === null || child === false) return "";
  if (child instanceof Html) return child.markup;
  if (typeof child === "string") return escapeText(child);
  if (typeof child === "number") return escapeText(String(child));
  return child.map(markupOf).join("");
}
