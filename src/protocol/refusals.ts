// SPDX-License-Identifier: Apache-2.0

/** Why an update is refused: number on chain, name, and its sentence. The order is the order of verification. */
export const REFUSALS = {
  NOT_SERVED: { code: 1, sentence: "The committed bytes could not be fetched before the run's fetch time ended." },
  WRONG_DIGEST: { code: 2, sentence: "The fetched bytes are not the bytes that were committed." },
  MALFORMED: { code: 3, sentence: "The bytes are not a canonical update artifact." },
  WRONG_RUN: { code: 4, sentence: "The artifact was made for another run." },
  WRONG_ROUND: {
    code: 5,
    sentence: "The artifact was made for another round, or is not of its kind: closing or not, private or not.",
  },
  WRONG_MEMBER: { code: 6, sentence: "The artifact was made by another member." },
  WRONG_SAMPLES: { code: 7, sentence: "The artifact states another number of samples than the commit." },
  WRONG_BASE: { code: 8, sentence: "The update was computed from another model than the run's head." },
  WRONG_LAYOUT: { code: 9, sentence: "The update has another layout or codec than the run." },
  OFF_GRID: { code: 10, sentence: "A coordinate lies outside the update grid." },
  GRID_OVERFLOW: { code: 11, sentence: "The member's own model would leave the master grid." },
  COORDINATE_BOUND: { code: 12, sentence: "A coordinate exceeds the run's bound." },
  NORM_BOUND: { code: 13, sentence: "The norm of the update exceeds the run's bound." },
  BAD_SEAL: { code: 14, sentence: "The sealed loss opening does not open alike for every recipient." },
  BAD_OPENING: { code: 15, sentence: "The sealed loss does not open the loss commitment." },
} as const;

export type RefusalName = keyof typeof REFUSALS;

/** A verdict of "no" about one update, with the values behind it. The sender's reputation falls as if its update had not been kept. */
export interface UpdateRefusal {
  readonly name: RefusalName;
  readonly code: number;
  readonly values: Readonly<Record<string, unknown>>;
}

export function refuse(name: RefusalName, values: Record<string, unknown> = {}): UpdateRefusal {
  return { name, code: REFUSALS[name].code, values };
}

const NAME_BY_CODE = new Map(Object.entries(REFUSALS).map(([name, { code }]) => [code as number, name as RefusalName]));

/** Name of a code on chain; a code nobody defined reads as `UNKNOWN_<code>`. */
export function refusalName(code: number): RefusalName | `UNKNOWN_${number}` {
  return NAME_BY_CODE.get(code) ?? `UNKNOWN_${code}`;
}
