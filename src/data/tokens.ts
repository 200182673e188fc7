// SPDX-License-Identifier: Apache-2.0

/** Words as numbers: 0 pads, 1 is any word outside the vocabulary, the vocabulary's words follow. */

const UNKNOWN = 1;
const RESERVED = 2;

const WORD = /[\p{L}\p{N}]+(?:'[\p{L}]+)?/gu;

/**
 * Lower-case words of a text: runs of letters and digits, an inner apostrophe with what follows included. Remains of HTML, which
 * news texts have (`#39;` for an apostrophe, `&lt;b&gt;`), are undone or dropped first.
 */
export function tokenise(text: string): string[] {
  const plain = text
    .replace(/ ?&?#39;/g, "'")
    .replace(/&lt;.*?&gt;/g, " ")
    .replace(/&?#\d+;|&[a-zA-Z]+;/g, " ");
  return plain.toLowerCase().match(WORD) ?? [];
}

/** Ids of the `size` − 2 most frequent words: by count, the more frequent first, then by code unit. */
export function buildVocabulary(texts: Iterable<readonly string[]>, size: number): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const words of texts) for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const ordered = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return new Map(ordered.slice(0, size - RESERVED).map(([word], index) => [word, index + RESERVED]));
}

/** texts × length ids, row-major; cut or padded at the end. */
export function encodeTokens(
  texts: readonly (readonly string[])[],
  vocabulary: ReadonlyMap<string, number>,
  length: number,
): Float32Array {
  const ids = new Float32Array(texts.length * length);
  for (const [i, words] of texts.entries())
    for (let k = 0; k < Math.min(length, words.length); k++)
      ids[i * length + k] = vocabulary.get(words[k] as string) ?? UNKNOWN;
  return ids;
}
