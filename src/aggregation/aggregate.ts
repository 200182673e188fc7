// SPDX-License-Identifier: Apache-2.0
import type { Hex } from "../protocol/bytes.ts";
import { sumOfSquares } from "../protocol/exactNorm.ts";
import { MAX_UPDATES } from "../protocol/grid.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { nextReputation, REPUTATION_ONE } from "../protocol/reputation.ts";
import type { UpdateChunk } from "../protocol/updateChunk.ts";
import type { VerifiedUpdate } from "../protocol/verifiedUpdate.ts";
import type { WideKernels } from "../protocol/wideKernels.ts";
import { AggregationError } from "./aggregationError.ts";
import { eachSpan } from "./eachSpan.ts";
import { integerWeights } from "./integerWeights.ts";
import { type Measured, measure } from "./measure.ts";
import { moveMaster } from "./moveMaster.ts";
import { referenceKernels } from "./reference/referenceKernels.ts";
import { requireFacts } from "./requireFacts.ts";
import type { AggregationRule, RoundFacts, RuleDecision } from "./rule.ts";
import { ruleOf } from "./rules.ts";
import { applyServerOptimiser, type ServerOptimiser } from "./serverOptimiser.ts";
import { type Span, spanLimit, spansOf } from "./spans.ts";

/** Where the master model comes from and goes to, span by span. */
export interface MasterFile {
  /** The head's values at [offset, offset + size). */
  read(offset: number, size: number): Promise<Float64Array>;
  /** The new model's; called once for every coordinate, in ascending order. The values change after the promise has resolved. */
  write(offset: number, values: Float64Array): Promise<void>;
}

/** How far a long aggregation has come: passes over all updates, and coordinates done in this one. */
export interface AggregationProgress {
  readonly pass: "gram" | "combine";
  readonly done: number;
  readonly of: number;
}

export interface AggregateInput {
  /** The accepted updates, ascending memberId. */
  readonly updates: readonly VerifiedUpdate[];
  /** r before this round, Q16, aligned with `updates`. */
  readonly reputations: readonly number[];
  /** α of the reputation rule, Q16, below 1: at 1 a reputation of 0 would stay 0 and nothing kept could be weighed by it. */
  readonly alphaQ16: number;
  /** The round's beacon R_t. */
  readonly beacon: Hex;
  readonly config: AggregationConfig;
  readonly layout: ModelLayout;
  readonly master: MasterFile;
  /** What rules need beside updates and reputations. */
  readonly facts?: RoundFacts;
  /** What stands between the rule's movement and the model's; scores leave it out. */
  readonly serverOptimiser?: ServerOptimiser;
  readonly kernels?: WideKernels;
  /** Bytes of chunks held at a time, about; the result does not depend on it. */
  readonly memoryBytes?: number;
  readonly onProgress?: (progress: AggregationProgress) => void;
  /** Ends the aggregation early; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface Aggregate {
  /** The rule's decision, aligned with the updates. */
  readonly kept: readonly boolean[];
  /** λ, K × G, row by row, units 2^-16; 0 for what is not kept. Equal shares for coordinate rules, whose result is no weighted sum. */
  readonly weights: Uint32Array;
  /** Σ (master' − master)², units 2^-2(F_max+16). */
  readonly updateNormSq: bigint;
  /** r after this round, Q16, aligned with the updates. */
  readonly reputations: readonly number[];
  /** For rules that remember something of each member: to be handed in as a fact of its next round. */
  readonly memberState?: readonly number[];
}

const DEFAULT_MEMORY_BYTES = 256 * 1_048_576;

/**
 * Aggregates a round's accepted updates with the run's rule: an exact linear function of them on the master grid (or of their order
 * statistics, or a server optimiser's step along it), the same bits on every machine, with every backend, for any size of chunk.
 *
 * Rules that compare whole updates read them twice, once for the Gram matrix and once for the weighted sum; the others once. Memory is
 * O(K · chunk).
 *
 * @throws AggregationError when a condition of the rule is not met; there is no other rule to fall back to. What was written to `master` by
 * then is of no use.
 */
export async function aggregate(input: AggregateInput): Promise<Aggregate> {
  const { updates, reputations, alphaQ16, config, layout, kernels = referenceKernels } = input;
  const rule = ruleOf(config);
  requireInput(input, rule);
  const { losses, facts } = requireFacts(config.rule, rule.needs ?? {}, input);

  const spans = spansOf(layout, spanLimit(updates, input.memoryBytes ?? DEFAULT_MEMORY_BYTES, rule.formsVectors));
  const { gram, groups }: Measured =
    rule.usesGram || rule.measuresGroups === true
      ? await measure({ ...input, facts }, rule, spans, kernels)
      : { gram: [], groups: [] };
  const decision = rule.decide({
    samples: updates.map((update) => update.samples),
    reputations,
    alphaQ16,
    gram,
    groups,
    losses,
    facts,
    maxFractionBits: layout.maxFractionBits,
    beacon: input.beacon,
  });
  const { kept } = decision;
  if (!kept.includes(true)) {
    throw new AggregationError("NOTHING_KEPT", `The rule ${config.rule} kept none of ${updates.length} updates.`, {
      rule: config.rule,
    });
  }
  const columns = columnsOf(decision, layout.groups);
  const updateNormSq = await combine(input, spans, decision, columns, kernels);

  return {
    kept,
    weights: Uint32Array.from(
      { length: updates.length * layout.groups },
      (_, at) => columns[at % layout.groups]?.[Math.floor(at / layout.groups)] as number,
    ),
    updateNormSq,
    reputations: reputations.map((reputation, i) => nextReputation(reputation, alphaQ16, kept[i] as boolean)),
    ...("memberState" in decision ? { memberState: decision.memberState } : {}),
  };
}

/** λ by column; equal shares where the result is no weighted sum. */
function columnsOf(decision: RuleDecision, groups: number): readonly Uint32Array[] {
  const { kept } = decision;
  if (decision.kind === "weights" && decision.columns !== undefined)
    return decision.columns.map((column) => integerWeights(column.shares, column.kept ?? kept, column.unspent));
  const column =
    decision.kind === "coordinates"
      ? integerWeights(
          kept.map(() => 1n),
          kept,
        )
      : integerWeights(decision.shares, kept, decision.unspent);
  return new Array<Uint32Array>(groups).fill(column);
}

/** Reads what is kept once more and moves the master model by it. @returns Σ (master' − master)². */
async function combine(
  { updates, layout, master, serverOptimiser, onProgress, signal }: AggregateInput,
  spans: readonly Span[],
  decision: RuleDecision,
  columns: readonly Uint32Array[],
  kernels: WideKernels,
): Promise<bigint> {
  const taking = updates.filter((_, i) => decision.kept[i]);
  const weights = columns.map((column) => column.filter((_, i) => decision.kept[i]));
  const increment = (chunks: readonly UpdateChunk[], group: number, room: Float64Array): Promise<Float64Array> =>
    decision.kind === "coordinates"
      ? decision.combine(kernels, chunks, room)
      : kernels.weightedSum(chunks, weights[group] as Uint32Array, room);
  const longest = spans.reduce((most, { size }) => Math.max(most, size), 0);
  const memory = kernels.allocate(8 * longest);
  const increments = new Float64Array(memory.bytes.buffer, memory.bytes.byteOffset, longest);
  const moved = new Float64Array(longest);
  let normSq = 0n;
  const visit = async (span: Span, chunks: readonly UpdateChunk[]): Promise<void> => {
    const { offset, size, shift, group } = span;
    const both = [master.read(offset, size), increment(chunks, group, increments.subarray(0, size))] as const;
    // Should one fail, the other still ends first: it may write to memory that is then given back.
    await Promise.allSettled(both);
    const [before, direction] = await Promise.all(both);
    const movement = await applyServerOptimiser(serverOptimiser, direction, span, layout);
    // First, since only a movement within the grid can be squared exactly.
    const after = moveMaster(before, movement, offset, layout, moved.subarray(0, size));
    normSq += sumOfSquares(movement) << BigInt(2 * shift);
    await master.write(offset, after);
    onProgress?.({ pass: "combine", done: offset + size, of: layout.size });
  };
  try {
    await eachSpan(taking, spans, kernels, visit, signal);
  } finally {
    memory.free();
  }
  return normSq;
}

function requireInput({ updates, reputations, alphaQ16, config, layout }: AggregateInput, rule: AggregationRule): void {
  const count = updates.length;
  if (count < rule.minUpdates) {
    throw new AggregationError(
      "TOO_FEW_UPDATES",
      `${config.rule} needs ${rule.minUpdates} updates and got ${count}; open the run with minAccepted of at least ${rule.minUpdates}.`,
      {
        rule: config.rule,
        needed: rule.minUpdates,
        updates: count,
      },
    );
  }
  if (count > MAX_UPDATES)
    throw new AggregationError("TOO_MANY_UPDATES", `${count} updates; at most ${MAX_UPDATES} can be summed exactly.`, {
      updates: count,
    });
  const bad = (message: string): AggregationError => new AggregationError("BAD_INPUT", message);
  if (reputations.length !== count) throw bad(`${reputations.length} reputations do not belong to ${count} updates.`);
  if (!Number.isInteger(alphaQ16) || alphaQ16 < 0 || alphaQ16 >= REPUTATION_ONE)
    throw bad(`α is an integer from 0 to 65535 (Q16, below 1), not ${alphaQ16}.`);
  for (const [i, { memberId, size, samples }] of updates.entries()) {
    const previous = updates[i - 1]?.memberId ?? 0;
    if (memberId <= previous) throw bad(`Updates come in ascending member id; ${memberId} follows ${previous}.`);
    if (size !== layout.size)
      throw bad(`The update of member ${memberId} has ${size} coordinates, the layout ${layout.size}.`);
    if (!Number.isInteger(samples) || samples < 1)
      throw bad(`Member ${memberId} states ${samples} samples; at least 1 is needed.`);
  }
}
