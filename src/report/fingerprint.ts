// SPDX-License-Identifier: Apache-2.0
import { type Html, html } from "./markup.ts";

/** Hex digits of a hash as numbers 0 … 15; none where the text is not hex. */
function nibbles(hash: string): readonly number[] {
  return /^0x[0-9a-f]+$/i.test(hash) ? [...hash.slice(2)].map((digit) => Number.parseInt(digit, 16)) : [];
}

const BARS = 16;

/** A hash's first 16 hex digits as bars, so that the eye sees at once that a block's parent is the head before it. Decoration: the hash stands beside it. */
export function fingerprint(hash: string): Html {
  const digits = nibbles(hash).slice(0, BARS);
  if (digits.length === 0) return html``;
  const path = digits.map((digit, index) => `M${index * 3 + 1} 14v-${round2(1.5 + (digit / 15) * 11.5)}`).join("");
  return html`<svg class="fingerprint" width="48" height="14" viewBox="0 0 48 14" aria-hidden="true" focusable="false"><path d="${path}"/></svg>`;
}

export type SealMark = "passed" | "failed" | "unknown";

const MARKS: Readonly<Record<SealMark, string>> = {
  passed: "M50 71l15 15 26-30",
  failed: "M55 55l30 30M85 55l-30 30",
  unknown: "M54 70h32",
};

/** The head as a seal: one ray for each hex digit, clockwise from the top, as long as the digit is large; the verdict's mark in the middle. */
export function seal(head: string, mark: SealMark): Html {
  const digits = nibbles(head);
  const rays = digits.map((digit, index) => {
    const angle = (index / digits.length) * 2 * Math.PI - Math.PI / 2;
    const outer = 49 + (digit / 15) * 19;
    const at = (radius: number) => `${round2(70 + radius * Math.cos(angle))} ${round2(70 + radius * Math.sin(angle))}`;
    return `M${at(46)}L${at(outer)}`;
  });
  return html`<svg class="seal" width="140" height="140" viewBox="0 0 140 140" role="img" aria-labelledby="seal-title seal-desc">
<title id="seal-title">Seal of the run’s head</title><desc id="seal-desc">${digits.length} rays drawn from the hex digits of the head ${head === "" ? "(none)" : head}; the mark inside is the audit’s verdict: ${mark}.</desc>
<path class="rays" d="${rays.join("")}"/><circle cx="70" cy="70" r="38"/><path class="mark" d="${MARKS[mark]}"/></svg>`;
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
