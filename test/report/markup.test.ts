// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { escapeText, html } from "../../src/report/markup.ts";

test("text in a gap can neither open a tag nor leave an attribute", () => {
  const hostile = `"><script>alert('1')</script><img src=x onerror=\`1\`>&amp;`;
  const { markup } = html`<p title="${hostile}">${hostile}</p>`;
  assert.equal(markup.match(/</g)?.length, 2);
  assert.equal(markup.match(/"/g)?.length, 2);
  assert.ok(markup.includes("&amp;amp;"), "an entity in the text stays text");
});

test("markup nests unescaped, lists are joined, what is absent leaves nothing", () => {
  assert.equal(
    html`<ul>${[1, 2].map((n) => html`<li>${n}</li>`)}${undefined}${null}${false}${""}</ul>`.markup,
    "<ul><li>1</li><li>2</li></ul>",
  );
  assert.equal(html`${0}`.markup, "0");
});

test("an object that looks like markup is refused by type and never passes as markup", () => {
  const forged = JSON.parse(`{"markup":"<script>"}`);
  assert.throws(() => html`${forged}`);
});

test("escaped text has no character that HTML gives a meaning or forbids", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.doesNotMatch(
        escapeText(text),
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the forbidden characters
        /[<>"'`\u0000-\u0008\u000b-\u001f\u007f-\u009f]|&(?!(amp|lt|gt|quot|#39|#96);)/,
      );
    }),
    { seed: 20_240_611 },
  );
  assert.equal(escapeText("a\u0000b\ud800"), "a\ufffdb\ufffd");
});
