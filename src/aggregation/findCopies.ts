// SPDX-License-Identifier: Apache-2.0
import type { GramMatrix } from "../protocol/wideKernels.ts";
import { exactDistances } from "./gramSpace.ts";
import type { PreAggregation } from "./mixing.ts";

/** 10^8: a copy is closer to its original than 10^-4 of its length. */
const CLOSENESS = 100_000_000n;

/**
 * For each update the first one before it that it copies, exactly or but for a little noise: ‖Δ_i − Δ_k‖² < 10^-8·‖Δ_i‖²; undefined for originals. Updates
 * of zeros copy nobody, and the copy of a copy is one of the original too.
 *
 * Whoever comes first is the original: nobody can see an update before all are committed, so equal ones come from members that work together.
 * Copies with exchanged neurons are not found; these lie far apart until they are aligned.
 *
 * @param gram ⟨Δ_i, Δ_k⟩, exact.
 */
export function findCopies(gram: GramMatrix): (number | undefined)[] {
  const distances = exactDistances(gram);
  const found: (number | undefined)[] = [];
  for (const [i, row] of distances.entries()) {
    const norm = gram[i]?.[i] as bigint;
    const original = row.findIndex((distance, k) => k < i && found[k] === undefined && CLOSENESS * distance < norm);
    found.push(original === -1 ? undefined : original);
  }
  return found;
}

/**
 * Leaves out copies before a rule that counts heads (Krum, which K−f−1 equal updates take over). They are not kept. The rule must be left with
 * as many updates as it needs, or refuses.
 *
 * How many Byzantine updates are tolerated then is not known: honest updates that happen to be equal are left out as well.
 */
export function withoutCopies(): PreAggregation {
  return {
    usesGram: true,
    minUpdates: (vectors) => vectors,
    tolerates: () => undefined,
    matrix: ({ gram }) => {
      const copies = findCopies(gram);
      const rows = copies.flatMap((original, i) =>
        original === undefined ? [copies.map((_, k) => (k === i ? 1 : 0))] : [],
      );
      return { rows, rowSum: 1 };
    },
  };
}
