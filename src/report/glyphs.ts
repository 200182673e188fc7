// SPDX-License-Identifier: Apache-2.0
import { type Html, html } from "./markup.ts";

/** What became of a member in a round, as the page draws it. Shape carries the meaning; colour repeats it. */
export type MemberState = "kept" | "not-kept" | "refused" | "absent" | "loss-only" | "void";
/** What a validator did in a round. */
export type ValidatorState = "agreed" | "outvoted" | "verdict-only" | "absent" | "sealed";

const SIZE = 22;

/** Sign of a member's state. A kept update is a disc whose area is its weight relative to the largest weight of the run. */
export function memberGlyph(state: MemberState, relativeWeight = 1): Html {
  return glyph(state, MEMBER_SHAPES[state](relativeWeight));
}

const MEMBER_SHAPES: Readonly<Record<MemberState, (relativeWeight: number) => Html>> = {
  kept: (weight) => html`<circle cx="11" cy="11" r="${Math.max(2, 9 * Math.sqrt(Math.min(1, weight))).toFixed(2)}"/>`,
  "not-kept": () => html`<circle class="outline" cx="11" cy="11" r="7"/><path class="outline" d="M6 16 16 6"/>`,
  refused: () =>
    html`<rect x="3.5" y="3.5" width="15" height="15" rx="3"/><path class="cut" d="M7.5 7.5l7 7M14.5 7.5l-7 7"/>`,
  absent: () => html`<path class="outline" d="M8 11h6"/>`,
  "loss-only": () => html`<path class="outline" d="M11 4.5 17.5 11 11 17.5 4.5 11z"/>`,
  void: () => html`<circle class="outline dashed" cx="11" cy="11" r="6"/>`,
};

/** Sign of a validator's state; the proposer's has a bar beneath. */
export function validatorGlyph(state: ValidatorState, proposer = false): Html {
  return glyph(
    `v-${state}`,
    html`${VALIDATOR_SHAPES[state]}${proposer ? html`<path class="proposer" d="M4 20.5h14"/>` : ""}`,
  );
}

const VALIDATOR_SHAPES: Readonly<Record<ValidatorState, Html>> = {
  agreed: html`<rect x="5.5" y="5.5" width="11" height="11" rx="1.5"/>`,
  outvoted: html`<path d="M11 2.5 19.5 17.5h-17z"/><path class="cut" d="M11 8v4.5M11 14.4v1.2"/>`,
  "verdict-only": html`<rect class="outline" x="6" y="6" width="10" height="10" rx="1.5"/>`,
  absent: html`<path class="outline" d="M8 11h6"/>`,
  sealed: html`<rect class="outline dashed" x="6" y="6" width="10" height="10" rx="1.5"/>`,
};

function glyph(name: string, shape: Html): Html {
  return html`<svg class="glyph ${name}" width="${SIZE}" height="${SIZE}" viewBox="0 0 ${SIZE} ${SIZE}" aria-hidden="true" focusable="false">${shape}</svg>`;
}
