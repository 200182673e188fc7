// SPDX-License-Identifier: Apache-2.0
import { shorten } from "./format.ts";
import { type Html, html } from "./markup.ts";

/** A hash, CID or address: shown short, whole in the title and in print, copied by a click, and lit up wherever else on the page it stands. */
export function hash(value: string, what: string): Html {
  return html`<button type="button" class="hash" data-copy="${value}" title="${value}" aria-label="Copy ${what} ${value}"><code>${shorten(value)}</code><svg class="copy" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true" focusable="false"><path class="sheets" d="M4 4h7v7H4zM8 1.5H1.5V8"/><path class="tick" d="M1.5 6.5 4.5 9.5 10.5 2.5"/></svg></button>`;
}

/** h with the round as exponent. */
export function headName(round: number): Html {
  return html`<span class="h">h<sup>${round}</sup></span>`;
}
