// SPDX-License-Identifier: Apache-2.0
import { type Aggregate, type AggregateInput, aggregate } from "../../src/aggregation/aggregate.ts";
import { masterInMemory } from "../../src/aggregation/masterInMemory.ts";
import type { RoundFacts } from "../../src/aggregation/rule.ts";
import { type ModelLayout, modelLayout } from "../../src/protocol/layout.ts";
import type { Random } from "../../src/protocol/random.ts";
import type { AggregationConfig } from "../../src/protocol/recipe/aggregationConfig.ts";
import { chunkInMemory } from "../../src/protocol/updateChunk.ts";
import type { VerifiedUpdate } from "../../src/protocol/verifiedUpdate.ts";

/** One tensor of d coordinates on 2^-18. */
export const flatLayout = (size: number): ModelLayout =>
  modelLayout([{ name: "w", shape: [size], fractionBits: 18, group: 0 }]);

/**
 * Rows as verified updates of members 3, 6, 9, …, as if their artifacts had been verified.
 *
 * @param losses as the opened seals tell them, units 2^-16 nats; left out: sealed.
 */
export function updatesOf(
  rows: readonly ArrayLike<number>[],
  samples?: readonly number[],
  losses?: readonly number[],
): VerifiedUpdate[] {
  return rows.map((row, i) => {
    const update = {
      kind: "update",
      memberId: 3 * (i + 1),
      artifactDigest: `0x${"00".repeat(32)}`,
      samples: samples?.[i] ?? 100,
      sealChecked: losses !== undefined,
      ...(losses === undefined ? {} : { opening: { loss: losses[i] as number, salt: 0n } }),
      ...chunkInMemory({ kind: "dense", values: Int32Array.from(row) }),
    };
    return update as unknown as VerifiedUpdate;
  });
}

/** Every rule as it stands. */
const PLAIN: readonly AggregationConfig[] = [
  { rule: "weighted-mean" },
  { rule: "uniform-mean" },
  { rule: "coordinate-median" },
  { rule: "trimmed-mean", parameters: { trim: 1 } },
  { rule: "geometric-median" },
  { rule: "krum", parameters: { byzantine: 1 } },
  { rule: "multi-krum", parameters: { byzantine: 1 } },
  { rule: "multi-krum", parameters: { byzantine: 1, selected: 2 } },
  { rule: "bulyan", parameters: { byzantine: 1 } },
  { rule: "byzfed", parameters: { filter: "tau", tau: 2, sizeWeighted: false } },
  { rule: "byzfed", parameters: { filter: "mad", k: 2, sizeWeighted: true } },
  { rule: "centred-clipping", parameters: { radius: 0.5, iterations: 3 } },
];

/** Updates as of one vector in memory, to be held against others. */
export const rootOf = (row: ArrayLike<number>): NonNullable<RoundFacts["root"]> =>
  chunkInMemory({ kind: "dense", values: Int32Array.from(row) });

const STALENESS = { decay: "polynomial", exponent: 0.5, limit: 20 } as const;

/** Rules that decide from more than the updates: with these they have no step before them. */
export const FACTUAL: readonly AggregationConfig[] = [
  { rule: "mean-of-senders", parameters: { prior: "samples" } },
  { rule: "mean-of-senders", parameters: { prior: "uniform" } },
  { rule: "fltrust" },
  { rule: "fedatt", parameters: { attention: "cosine", temperature: 0.1, scope: "both", stepSize: 1 } },
  { rule: "fedatt", parameters: { attention: "cosine", temperature: 0.5, scope: "layer", stepSize: 0.5 } },
  {
    rule: "fedatt",
    parameters: { attention: "distance", relative: true, temperature: 1, scope: "model", stepSize: 1 },
  },
  { rule: "fedeba", parameters: { temperature: 1, prior: "samples", capMads: 3 } },
  { rule: "fedeba", parameters: { temperature: 0, prior: "uniform" } },
  { rule: "fair-gradient", parameters: { strength: 0.1, prior: "samples" } },
  { rule: "q-fedavg", parameters: { q: 1, learningRate: 0.1 } },
  { rule: "fairfed", parameters: { beta: 1, metric: "loss" } },
  { rule: "fairfed", parameters: { beta: 0.5, metric: "accuracy" } },
  { rule: "spfl", parameters: { weighting: "softmax", audit: { filter: "mad", k: 2 } } },
  {
    rule: "spfl",
    parameters: { weighting: "ratio", fair: { kappa: 0.5, temperature: 1, prior: "uniform", capMads: 3 } },
  },
  { rule: "fedbuff", parameters: { staleness: STALENESS, stepSize: 1, prior: "uniform" } },
  { rule: "fedasync", parameters: { staleness: STALENESS, mixing: 0.6 } },
];

const MIXING = { step: "nearest-neighbour-mixing", byzantine: 1 } as const;
const BUCKETING = { step: "bucketing", size: 2 } as const;

/** Every rule alone, and behind each step and both. */
export const RULES: readonly AggregationConfig[] = [
  ...PLAIN,
  ...[[MIXING], [BUCKETING], [BUCKETING, MIXING]].flatMap((before) =>
    PLAIN.map((config) => ({ ...config, before }) as AggregationConfig),
  ),
];

export function nameOf(config: AggregationConfig): string {
  const parameters = Object.entries("parameters" in config ? config.parameters : {});
  const steps = (config.before ?? []).map((step) =>
    step.step === "bucketing"
      ? `bucketing (${step.size})`
      : step.step === "without-copies"
        ? "without copies"
        : `mixing (${step.byzantine})`,
  );
  const described = parameters
    .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    .join(", ");
  return [...steps, described === "" ? config.rule : `${config.rule} (${described})`].join(", ");
}

/** K rows of d normal values around `center`, standard deviation `spread`, in whole grid units. */
export function cloud(random: Random, count: number, size: number, center: number, spread: number): Int32Array[] {
  return Array.from({ length: count }, () =>
    Int32Array.from({ length: size }, () => Math.floor(center + spread * random.normal())),
  );
}

/** An aggregation of what is in memory. */
export type InMemory = Omit<AggregateInput, "updates" | "master" | "beacon"> & {
  readonly updates: readonly VerifiedUpdate[];
  readonly master: Float64Array;
};

export const BEACON = `0x${"5a".repeat(32)}` as const;

export async function aggregateInMemory(input: InMemory): Promise<Aggregate & { readonly master: Float64Array }> {
  const model = masterInMemory(input.master);
  const result = await aggregate({
    ...input,
    updates: input.updates,
    beacon: BEACON,
    master: model,
  });
  return { ...result, master: model.after };
}
