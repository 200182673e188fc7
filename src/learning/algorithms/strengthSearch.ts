// SPDX-License-Identifier: Apache-2.0

/** Quality of a strength λ, e.g. validation accuracy after some rounds; higher is better, NaN for a run that diverged. */
export type Evaluate = (strength: number) => Promise<number>;

export interface SearchResult {
  readonly strength: number;
  readonly quality: number;
  /** Every strength tried, in order; a diverged one has −Infinity. */
  readonly tried: readonly { readonly strength: number; readonly quality: number }[];
}

/**
 * Two-stage search for a regulariser's strength (Doc2; spec B10.4): a coarse grid, then {10⁻², 10⁻¹, 1, 10, 10²} times the best of it, which is not
 * evaluated again. Equal qualities: the larger strength.
 */
export async function searchStrength(
  evaluate: Evaluate,
  coarse: readonly number[] = [1e-6, 1e-2, 1e2],
): Promise<SearchResult> {
  const tried: { strength: number; quality: number }[] = [];
  const tryAll = async (strengths: readonly number[]): Promise<void> => {
    for (const strength of strengths) {
      const quality = await evaluate(strength);
      tried.push({ strength, quality: Number.isNaN(quality) ? -Infinity : quality });
    }
  };
  const best = (): { strength: number; quality: number } =>
    tried.reduce((a, b) => (b.quality > a.quality || (b.quality === a.quality && b.strength > a.strength) ? b : a));
  if (coarse.length === 0) throw new RangeError("A search begins with at least one strength.");
  await tryAll(coarse);
  const centre = best().strength;
  await tryAll([1e-2, 1e-1, 10, 100].map((factor) => factor * centre));
  return { ...best(), tried };
}
