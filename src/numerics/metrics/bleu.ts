// SPDX-License-Identifier: Apache-2.0

const ORDER = 4;

/**
 * Corpus BLEU-4: exp(¼ Σ_n ln p_n) times the brevity penalty, p_n the share of candidate n-grams that a reference confirms (each as often as
 * the reference with most of it), counted over the whole corpus. Unsmoothed: 0 if some p_n is 0.
 *
 * @param candidates tokens of each candidate.
 * @param references for each candidate one or more references; the one of nearest length, the shorter of two, counts for the penalty.
 * @throws RangeError when a candidate has no reference.
 * Paper: Papineni et al. 2002, "BLEU: a method for automatic evaluation of machine translation".
 */
export function bleu4(
  candidates: readonly (readonly string[])[],
  references: readonly (readonly (readonly string[])[])[],
): number {
  const confirmed = new Float64Array(ORDER);
  const total = new Float64Array(ORDER);
  let candidateLength = 0;
  let referenceLength = 0;
  for (const [i, candidate] of candidates.entries()) {
    const own = references[i] ?? [];
    if (own.length === 0) throw new RangeError(`Candidate ${i} has no reference.`);
    candidateLength += candidate.length;
    referenceLength += nearestLength(own, candidate.length);
    for (let n = 1; n <= ORDER; n++) {
      total[n - 1] = (total[n - 1] as number) + Math.max(0, candidate.length - n + 1);
      confirmed[n - 1] = (confirmed[n - 1] as number) + confirmedNgrams(candidate, own, n);
    }
  }
  if (confirmed.some((count) => count === 0)) return 0;
  const logPrecision = confirmed.reduce((sum, count, n) => sum + Math.log(count / (total[n] as number)), 0) / ORDER;
  const penalty = candidateLength >= referenceLength ? 1 : Math.exp(1 - referenceLength / candidateLength);
  return penalty * Math.exp(logPrecision);
}

function confirmedNgrams(candidate: readonly string[], references: readonly (readonly string[])[], n: number): number {
  const limits = references.map((reference) => countNgrams(reference, n));
  let sum = 0;
  for (const [ngram, count] of countNgrams(candidate, n))
    sum += Math.min(count, Math.max(...limits.map((limit) => limit.get(ngram) ?? 0)));
  return sum;
}

function countNgrams(tokens: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= tokens.length; i++) {
    const ngram = JSON.stringify(tokens.slice(i, i + n));
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}

function nearestLength(references: readonly (readonly string[])[], length: number): number {
  return references
    .map((reference) => reference.length)
    .reduce((best, next) => {
      const nearer = Math.abs(next - length) - Math.abs(best - length);
      return nearer < 0 || (nearer === 0 && next < best) ? next : best;
    });
}
