// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { LINKS } from "../../src/audit/links.ts";
import { parseRecipeFile } from "../../src/cli/prepareRunFile.ts";
import { parseNodeConfig } from "../../src/node/options.ts";
import { Metrics } from "../../src/process/metrics.ts";
import { parseStoreUrl } from "../../src/storage/storeConfig.ts";
import { parseValidatorConfig } from "../../src/validator/options.ts";
import { foedus } from "../cli/support.ts";

const DOCS = fileURLToPath(new URL("../../docs/", import.meta.url));
const GUIDES = ["running-a-consortium.md", "auditing.md"];
const read = (name: string): string => readFileSync(join(DOCS, name), "utf8");

function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(([, block]) => block as string);
}

/** Lines of shell blocks that call `foedus`, without comments. */
function commandLines(): string[] {
  return GUIDES.flatMap((guide) => blocks(read(guide), "sh"))
    .flatMap((block) => block.split("\n"))
    .map((line) => line.replace(/\s+#.*$/, ""))
    .filter((line) => line.startsWith("foedus "));
}

describe("the guides", () => {
  it("show configurations that the processes take", () => {
    const parsers: Record<string, (value: unknown, file: string) => unknown> = {
      "node.yaml": parseNodeConfig,
      "validator.yaml": parseValidatorConfig,
      "recipe.yaml": parseRecipeFile,
    };
    const whole = new Map<string, object>();
    const seen = blocks(read("running-a-consortium.md"), "yaml").flatMap((block) => {
      const [, part, name = ""] = /^# (in )?(\S+)\n/.exec(block) ?? [];
      const parser = parsers[name];
      assert.ok(parser !== undefined, `the block "${block.slice(0, 40)}" names no file`);
      const written = { ...(part === undefined ? {} : whole.get(name)), ...(parse(block) as object) };
      assert.doesNotThrow(() => parser(written, name));
      if (part !== undefined) return [];
      whole.set(name, written);
      return [name];
    });
    assert.deepEqual(seen.sort(), Object.keys(parsers).sort());
  });

  it("show commands and options that exist", async () => {
    const lines = commandLines();
    assert.ok(lines.length >= 10, `only ${lines.length} commands were found`);
    const help = new Map<string, Promise<{ code: number | null; stdout: string }>>();
    for (const line of lines) {
      const words = line.split(/\s+/).slice(1);
      const command = words
        .slice(
          0,
          words.findIndex((word) => word.startsWith("-") || word.includes(".")),
        )
        .join(" ");
      if (!help.has(command)) help.set(command, foedus([...command.split(" "), "--help"]));
      const { code, stdout } = await (help.get(command) as Promise<{ code: number | null; stdout: string }>);
      assert.equal(code, 0, line);
      assert.match(stdout, new RegExp(`^Usage: foedus ${command} `), line);
      for (const [option] of line.matchAll(/(?<=\s)--[a-z-]+/g))
        assert.match(stdout, new RegExp(`^  ${option} `, "m"), `${line}: ${option}`);
      const store = /'(helia:[^']*)'/.exec(line)?.[1];
      if (store !== undefined) assert.doesNotThrow(() => parseStoreUrl(store), line);
    }
  });

  it("explain every link of the audit", () => {
    const named = [...read("auditing.md").matchAll(/^\| (`.*?`) *\|/gm)].flatMap(([, cell]) =>
      [...(cell as string).matchAll(/`(\w+)`/g)].map(([, link]) => link),
    );
    assert.deepEqual(named, Object.keys(LINKS));
  });

  it("list every metric", () => {
    const documented = [...read("running-a-consortium.md").matchAll(/`(foedus_\w+)(?:\{\w+\})?`/g)].map(
      ([, name]) => name as string,
    );
    const source = readFileSync(fileURLToPath(new URL("../../src/process/metrics.ts", import.meta.url)), "utf8");
    const declared = [...source.matchAll(/^ {2}(foedus_\w+): \{/gm)].map(([, name]) => name as string);
    assert.ok(declared.length > 5 && new Metrics().render() === "");
    assert.deepEqual(documented.sort(), declared.sort());
  });
});

/** Every document of the repository: those at its root and everything below docs/. */
const ROOT = resolve(DOCS, "..");
const DOCUMENTS = [
  ...readdirSync(ROOT).map((name) => join(ROOT, name)),
  ...readdirSync(DOCS, { recursive: true, encoding: "utf8" }).map((name) => join(DOCS, name)),
].filter((file) => file.endsWith(".md"));

/** A heading's name in a link, as Git forges make it. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

describe("every document", () => {
  it("links to files and headings that exist", () => {
    let links = 0;
    for (const file of DOCUMENTS) {
      const prose = readFileSync(file, "utf8").replace(/^```.*?^```/gms, "");
      for (const [, target] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target as string)) continue;
        const [path, anchor] = (target as string).split("#");
        const linked = path === "" ? file : resolve(dirname(file), path as string);
        const where = `${relative(ROOT, file)}: ${target}`;
        assert.ok(existsSync(linked), where);
        if (anchor !== undefined) {
          const headings = [...readFileSync(linked, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, text]) => text as string);
          assert.ok(headings.map(anchorOf).includes(anchor), where);
        }
        links++;
      }
    }
    assert.ok(links > 50, `only ${links} links were found; has the way of writing them changed?`);
  });

  it("names files and folders that exist", () => {
    let paths = 0;
    for (const file of DOCUMENTS) {
      const named = readFileSync(file, "utf8").matchAll(
        /(?<![\w./-])(?:src|test|scripts|contracts|circuits|examples|docs)\/[\w./-]*[\w/]/g,
      );
      for (const [path] of named) {
        assert.ok(existsSync(join(ROOT, path)), `${relative(ROOT, file)}: ${path}`);
        paths++;
      }
    }
    assert.ok(paths > 100, `only ${paths} paths were found; has the way of writing them changed?`);
  });
});
