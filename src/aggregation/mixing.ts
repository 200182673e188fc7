// SPDX-License-Identifier: Apache-2.0
import type { UpdateChunk } from "../protocol/updateChunk.ts";
import type { GramMatrix, WideKernels } from "../protocol/wideKernels.ts";
import { AggregationError } from "./aggregationError.ts";
import { roundedQuotient } from "./reference/roundedQuotient.ts";
import type { AggregationRule, CoordinateResult, RuleDecision, RuleInput } from "./rule.ts";

/**
 * Means of updates, exact: mixed vector b is (1/L) Σ_k R_bk Δ_k with integers R_bk ≥ 0 whose rows all sum to L. Rules see the vectors L times as
 * large, which are integers, and their exact inner products R G Rᵀ.
 */
export interface MixingMatrix {
  /** R, one row per mixed vector. */
  readonly rows: readonly (readonly number[])[];
  /** L. */
  readonly rowSum: number;
}

/** A step before a rule, which replaces K updates by means of them. */
export interface PreAggregation {
  /** Whether the means depend on inner products. */
  readonly usesGram: boolean;
  /** Least K so that the step is defined and leaves at least `vectors` mixed ones. */
  readonly minUpdates: (vectors: number) => number;
  /** Byzantine updates among K that leave intact the bound of a rule that tolerates `ofRule(vectors)` among the mixed ones. */
  readonly tolerates: (updates: number, ofRule: (vectors: number) => number | undefined) => number | undefined;
  readonly matrix: (input: RuleInput) => MixingMatrix;
}

/**
 * A rule on mixed updates. A mixed vector has the mean of its parts' samples and reputations, weighted as they are mixed; an update is kept if
 * it is part of a mixed vector that the rule keeps, and weighs what its parts in them weigh. Where the rule decides per coordinate, the mixed
 * vectors are rounded once to the update grid, half away from zero (docs/protocol.md).
 */
export function mixedBefore(rule: AggregationRule, step: PreAggregation): AggregationRule {
  return {
    minUpdates: step.minUpdates(rule.minUpdates),
    tolerates: (updates) => step.tolerates(updates, rule.tolerates),
    coordinateWise: rule.coordinateWise,
    usesGram: rule.usesGram || step.usesGram,
    formsVectors: rule.coordinateWise,
    decide: (input) => {
      const mixing = step.matrix(input);
      if (mixing.rows.length < rule.minUpdates)
        throw new AggregationError(
          "TOO_FEW_UPDATES",
          `The rule needs ${rule.minUpdates} updates, and the steps before it leave ${mixing.rows.length} of ${input.samples.length}.`,
          { needed: rule.minUpdates, updates: mixing.rows.length },
        );
      return throughMixing(mixing, rule.decide(mixedInput(mixing, input, rule.usesGram)));
    },
  };
}

/** Sums stay exact: n < 2^32 and, with at most 2 048 neighbours and buckets of at most 32, multiples below 2^21. */
function mixedInput({ rows, rowSum }: MixingMatrix, input: RuleInput, needsGram: boolean): RuleInput {
  const sums = (values: readonly number[]): number[] =>
    rows.map((row) => row.reduce((sum, part, k) => sum + part * (values[k] as number), 0));
  return {
    ...input,
    samples: sums(input.samples),
    reputations: sums(input.reputations).map((sum) => Math.floor(sum / rowSum)),
    gram: needsGram ? mixedGram(rows, input.gram) : [],
    // Recipes have no step before a rule that asks for these: a mean of members has no loss of its own.
    groups: [],
    losses: [],
    scaledBy: (input.scaledBy ?? 1) * rowSum,
  };
}

/** R G Rᵀ. */
function mixedGram(rows: MixingMatrix["rows"], gram: GramMatrix): GramMatrix {
  const parts = rows.map((row) => row.flatMap((part, k) => (part === 0 ? [] : [{ k, part: BigInt(part) }])));
  // (R G)ᵀ, one row per update: G is symmetric.
  const halves = gram.map((column) =>
    parts.map((row) => row.reduce((sum, { k, part }) => sum + part * (column[k] as bigint), 0n)),
  );
  const mixed = parts.map(() => new Array<bigint>(parts.length).fill(0n));
  for (const [b, row] of parts.entries()) {
    for (let c = b; c < parts.length; c++) {
      let sum = 0n;
      for (const { k, part } of row) sum += part * ((halves[k] as bigint[])[c] as bigint);
      (mixed[b] as bigint[])[c] = sum;
      (mixed[c] as bigint[])[b] = sum;
    }
  }
  return mixed;
}

/** A decision about mixed vectors as one about the updates they are made of. */
function throughMixing({ rows, rowSum }: MixingMatrix, decision: RuleDecision): RuleDecision {
  const used = rows.filter((_, b) => decision.kept[b]);
  const count = (rows[0] as readonly number[]).length;
  const kept = Array.from({ length: count }, (_, k) => used.some((row) => (row[k] as number) > 0));
  if (decision.kind === "coordinates")
    return { ...decision, kept, combine: mixedCombine(used, kept, rowSum, decision) };
  const shares = new Array<bigint>(count).fill(0n);
  for (const [b, row] of rows.entries()) {
    if (!decision.kept[b]) continue;
    for (const [k, part] of row.entries()) {
      if (part > 0) shares[k] = (shares[k] as bigint) + BigInt(part) * (decision.shares[b] as bigint);
    }
  }
  return { kind: "weights", kept, shares, unspent: (decision.unspent ?? 0n) * BigInt(rowSum) };
}

function mixedCombine(
  used: MixingMatrix["rows"],
  kept: readonly boolean[],
  rowSum: number,
  decision: CoordinateResult,
): CoordinateResult["combine"] {
  const rows = used.map((row) => row.filter((_, k) => kept[k]));
  return async (kernels, updates, room) => {
    const mixed: UpdateChunk[] = [];
    // One after the other: a sum takes twice the memory of the vector it becomes.
    for (const row of rows) mixed.push({ kind: "dense", values: await meanOf(kernels, updates, row, rowSum) });
    return decision.combine(kernels, mixed, room);
  };
}

async function meanOf(
  kernels: WideKernels,
  updates: readonly UpdateChunk[],
  row: readonly number[],
  rowSum: number,
): Promise<Int32Array> {
  const isPart = (_: unknown, k: number): boolean => (row[k] as number) > 0;
  const sum = await kernels.weightedSum(updates.filter(isPart), Uint32Array.from(row.filter(isPart)));
  // Not Int32Array.from, which iterates and is many times slower.
  const mean = new Int32Array(sum.length);
  for (let j = 0; j < mean.length; j++) mean[j] = roundedQuotient(sum[j] as number, rowSum);
  return mean;
}
