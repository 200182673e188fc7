// SPDX-License-Identifier: Apache-2.0

/** What an attack costs. Sources mix the two drops up, so both are named. */
export interface Robustness {
  /** 100·(clean − attacked)/clean: per cent of the clean accuracy. */
  readonly dropPercent: number;
  /** 100·(clean − attacked): percentage points. */
  readonly dropPoints: number;
  /** attacked/clean. */
  readonly retained: number;
}

/** @param clean accuracy without the attack, above 0. @param attacked accuracy under it. */
export function robustness(clean: number, attacked: number): Robustness {
  if (!(clean > 0)) throw new RangeError(`Nothing can be retained of a clean accuracy of ${clean}.`);
  return {
    dropPercent: (100 * (clean - attacked)) / clean,
    dropPoints: 100 * (clean - attacked),
    retained: attacked / clean,
  };
}

/** How well a rule tells malicious updates from honest ones; NaN where there is nothing to divide by. */
export interface Detection {
  /** Of the dropped, the share that was malicious. */
  readonly precision: number;
  /** Of the malicious, the share that was dropped. */
  readonly recall: number;
  /** Of the honest, the share that was dropped. */
  readonly falsePositiveRate: number;
}

/** Counts over any number of updates, in one or more rounds. */
export function detection(kept: readonly boolean[], malicious: readonly boolean[]): Detection {
  if (kept.length !== malicious.length)
    throw new RangeError(`${kept.length} decisions on ${malicious.length} updates.`);
  let caught = 0;
  let dropped = 0;
  let guilty = 0;
  for (const [i, isKept] of kept.entries()) {
    if (malicious[i]) guilty += 1;
    if (isKept) continue;
    dropped += 1;
    if (malicious[i]) caught += 1;
  }
  return {
    precision: caught / dropped,
    recall: caught / guilty,
    falsePositiveRate: (dropped - caught) / (kept.length - guilty),
  };
}
