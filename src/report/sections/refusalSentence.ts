// SPDX-License-Identifier: Apache-2.0
import { REFUSALS } from "../../protocol/refusals.ts";

/** The sentence of a refusal code, as the protocol words it. */
export function refusalSentence(code: string): string {
  return Object.hasOwn(REFUSALS, code)
    ? REFUSALS[code as keyof typeof REFUSALS].sentence
    : "This page knows no sentence for the code.";
}
