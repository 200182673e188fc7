// SPDX-License-Identifier: Apache-2.0

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface CheckedPage {
  readonly elements: readonly Element[];
  /** Text outside tags, style and script, with entities decoded. */
  readonly text: string;
}

const VOID = new Set(["meta", "br", "img", "link", "input", "hr"]);
const RAW = new Set(["style", "script"]);
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", "#96": "`" };

export function decodeEntities(text: string): string {
  return text.replace(/&([^;]+);/g, (whole, name: string) => ENTITIES[name] ?? whole);
}

/**
 * A strict reader of the subset of HTML that we write: every tag is closed by its own name (or closes itself), attributes are quoted and
 * unique, every `&` begins one of our entities. Stricter than a browser, which would repair what this refuses.
 * @throws Error that says what is wrong and where
 */
export function checkMarkup(page: string): CheckedPage {
  const elements: Element[] = [];
  const open: string[] = [];
  let text = "";
  let at = 0;
  const fail = (reason: string): never => {
    throw new Error(`${reason} at ${at}: ${JSON.stringify(page.slice(at, at + 80))}, inside ${open.join(" > ")}`);
  };
  const characters = (upTo: number) => {
    const piece = page.slice(at, upTo);
    if (/&(?!(amp|lt|gt|quot|#39|#96);)/.test(piece)) fail("a bare &");
    text += decodeEntities(piece);
    at = upTo;
  };
  if (!page.startsWith("<!doctype html>\n")) fail("no doctype");
  at = "<!doctype html>\n".length;
  while (at < page.length) {
    const next = page.indexOf("<", at);
    characters(next < 0 ? page.length : next);
    if (next < 0) break;
    const closing = /^<\/([a-z][a-z0-9]*)>/.exec(page.slice(at, at + 40));
    if (closing !== null) {
      const expected = open.pop();
      if (expected !== closing[1]) fail(`</${closing[1]}> where </${expected}> was due`);
      text += " ";
      at += closing[0].length;
      continue;
    }
    const end = page.indexOf(">", at);
    const opening = /^<([a-z][a-zA-Z0-9]*)((?:\s+[a-zA-Z][a-zA-Z0-9-]*(?:="[^"<>]*")?)*)\s*(\/?)>$/.exec(
      page.slice(at, end + 1),
    );
    if (opening === null) return fail("not a tag");
    const [whole, name = "", list = "", selfClosing] = opening;
    const attributes: Record<string, string> = {};
    for (const [, key = "", value = ""] of list.matchAll(/\s+([a-zA-Z][a-zA-Z0-9-]*)(?:="([^"]*)")?/g)) {
      if (key in attributes) fail(`attribute ${key} twice`);
      if (/&(?!(amp|lt|gt|quot|#39|#96);)/.test(value)) fail(`a bare & in ${key}`);
      attributes[key] = decodeEntities(value);
    }
    elements.push({ name, attributes });
    at += whole.length;
    if (RAW.has(name)) {
      const close = page.indexOf(`</${name}`, at);
      if (!page.startsWith(`</${name}>`, close)) fail(`<${name}> is not closed`);
      at = close + `</${name}>`.length;
    } else if (selfClosing !== "/" && !VOID.has(name)) open.push(name);
  }
  if (open.length > 0) fail(`not closed: ${open.join(", ")}`);
  return { elements, text };
}
