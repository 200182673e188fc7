// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildVocabulary, encodeTokens, tokenise } from "../../src/data/tokens.ts";

describe("words as numbers", () => {
  it("lower case, letters and digits of any script, inner apostrophes; what is left of HTML goes", () => {
    const cases: Record<string, string[]> = {
      "The U.S. won 3-1!": ["the", "u", "s", "won", "3", "1"],
      "Friday #39;s game; the Patriots #39; list": ["friday's", "game", "the", "patriots", "list"],
      "&lt;b&gt;Bold&lt;/b&gt; &amp; #36;5 &quot;quoted&quot;": ["bold", "5", "quoted"],
      "Élan \\$10.3 billion": ["élan", "10", "3", "billion"],
      "Қазақстан 2024": ["қазақстан", "2024"],
      "--- ": [],
    };
    for (const [text, words] of Object.entries(cases)) assert.deepEqual(tokenise(text), words, text);
  });

  it("ids by count, ties by code unit whatever the order of appearance; 1 beyond the vocabulary; 0 pads", () => {
    const texts = [
      ["b", "c", "a"],
      ["c", "d"],
    ];
    const vocabulary = buildVocabulary(texts, 5);
    assert.deepEqual(
      [...vocabulary],
      [
        ["c", 2],
        ["a", 3],
        ["b", 4],
      ],
    );
    assert.deepEqual(buildVocabulary(texts.toReversed(), 5), vocabulary);
    assert.deepEqual([...encodeTokens([["c", "d", "b", "a"], ["a"], []], vocabulary, 3)], [2, 1, 4, 3, 0, 0, 0, 0, 0]);
  });
});
