// SPDX-License-Identifier: Apache-2.0
import type { UpdateChunk } from "../protocol/updateChunk.ts";
import type { GramMatrix, WideKernels } from "../protocol/wideKernels.ts";
import type { AggregateInput } from "./aggregate.ts";
import { eachSpan, type VectorSource } from "./eachSpan.ts";
import type { AggregationRule, GroupProducts, RoundFacts } from "./rule.ts";
import type { Span } from "./spans.ts";

/** What one pass over all updates finds out about them, exactly. */
export interface Measured {
  /** ⟨Δ_i, Δ_k⟩, units 2^-2F_max; empty for a rule that asks for norms alone. */
  readonly gram: GramMatrix;
  /** One entry per tensor group. */
  readonly groups: readonly GroupProducts[];
}

/**
 * Inner products of whole updates and of their tensor groups, with each other and with the anchor. A tensor with smaller F counts 4^(F_max−F)
 * times. The anchor is one more vector or two in the kernels' Gram matrices, so its products are as exact as the others. A rule that does not use the
 * Gram matrix gets the groups' norms and no more.
 */
export async function measure(
  {
    updates,
    layout,
    facts,
    onProgress,
    signal,
  }: Pick<AggregateInput, "updates" | "layout" | "onProgress" | "signal"> & { readonly facts: RoundFacts },
  { anchor, usesGram }: Pick<AggregationRule, "anchor" | "usesGram">,
  spans: readonly Span[],
  kernels: WideKernels,
): Promise<Measured> {
  const count = updates.length;
  const zeros = (): bigint[] => new Array<bigint>(count).fill(0n);
  const gram = usesGram ? updates.map(zeros) : [];
  const groups = Array.from({ length: layout.groups }, () => ({ norms: zeros(), anchored: zeros(), anchorNorm: 0n }));
  const sources: readonly VectorSource[] = anchor === "root" ? [...updates, facts.root as VectorSource] : updates;

  const norms = async ({ group, shift }: Span, chunks: readonly UpdateChunk[]): Promise<void> => {
    const found = (groups[group] as (typeof groups)[number]).norms;
    for (const [i, norm] of (await kernels.squaredNorms(chunks)).entries())
      found[i] = (found[i] as bigint) + (norm << BigInt(2 * shift));
  };
  const products = async ({ group, shift }: Span, chunks: readonly UpdateChunk[]): Promise<void> => {
    const medians = anchor === "coordinate-median" ? twiceMedian(await kernels.coordinateMedian(chunks)) : [];
    const exact = await kernels.gram([...chunks, ...medians]);
    const part = shift === 0 ? exact : exact.map((row) => row.map((value) => value << BigInt(2 * shift)));
    const found = groups[group] as (typeof groups)[number];
    for (const [i, row] of part.entries()) {
      const anchored = row.slice(count).reduce((sum, value) => sum + value, 0n);
      if (i >= count) {
        found.anchorNorm += anchored;
        continue;
      }
      found.norms[i] = (found.norms[i] as bigint) + (row[i] as bigint);
      found.anchored[i] = (found.anchored[i] as bigint) + anchored;
      const sums = gram[i] as bigint[];
      for (let k = 0; k < count; k++) sums[k] = (sums[k] as bigint) + (row[k] as bigint);
    }
  };
  const visit = async (span: Span, chunks: readonly UpdateChunk[]): Promise<void> => {
    await (usesGram ? products : norms)(span, chunks);
    onProgress?.({ pass: "gram", done: span.offset + span.size, of: layout.size });
  };
  await eachSpan(sources, spans, kernels, visit, signal);
  return { gram, groups };
}

/**
 * Two vectors on the update grid that sum to twice the median: the median of an even number is half an integer, and twice it may need one bit
 * more than a value on the grid has.
 *
 * @param median in units 2^-(F+16).
 */
function twiceMedian(median: Float64Array): UpdateChunk[] {
  const [one, other] = [new Int32Array(median.length), new Int32Array(median.length)];
  for (let j = 0; j < median.length; j++) {
    const twice = (median[j] as number) / 32_768;
    const half = Math.floor(twice / 2);
    one[j] = half;
    other[j] = twice - half;
  }
  return [
    { kind: "dense", values: one },
    { kind: "dense", values: other },
  ];
}
