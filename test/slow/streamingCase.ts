// SPDX-License-Identifier: Apache-2.0

import type { UpdateCommitment } from "../../src/protocol/commitment.ts";
import { type ModelLayout, modelLayout } from "../../src/protocol/layout.ts";
import { lossCommitment } from "../../src/protocol/lossCommitment.ts";
import type { AggregationConfig } from "../../src/protocol/recipe/aggregationConfig.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import type { ArtifactContext } from "../../src/update/verifyArtifact.ts";
import { commitTo, contextFor, OPENING, PLACE } from "../update/fixtures.ts";

/** A round that is larger than the memory that it may take, as one process hands it to another. */
export interface StreamingCase {
  /** d */
  readonly size: number;
  readonly codec: CodecConfig;
  /** Each of them aggregates the same updates. */
  readonly rules: readonly AggregationConfig[];
  /** K, ascending. */
  readonly commits: readonly Pick<UpdateCommitment, "memberId" | "samples" | "artifactDigest" | "artifactCid">[];
}

/** What the child says of one rule. */
export interface StreamingResult {
  readonly rule: AggregationConfig["rule"];
  readonly kept: readonly number[];
  readonly modelRoot: string;
  readonly reports: number;
  readonly seconds: number;
}

export interface StreamingReport {
  readonly fetchSeconds: number;
  readonly verifySeconds: number;
  readonly results: readonly StreamingResult[];
  /** Most memory that the process ever held, in MiB, when each step was done. */
  readonly peakMiB: {
    readonly started: number;
    readonly fetched: number;
    readonly verified: number;
    readonly done: number;
  };
}

export function layoutOf(size: number): ModelLayout {
  return modelLayout([{ name: "w", shape: [size], fractionBits: 18, group: 0 }]);
}

/** The head's model: something different in every coordinate, below 2^31. */
export function masterOf(size: number): Float64Array {
  return Float64Array.from({ length: size }, (_, j) => Math.imul(j + 1, 0x9e3779b1));
}

export function contextOf(
  { size, codec }: Pick<StreamingCase, "size" | "codec">,
  master: Float64Array,
): ArtifactContext {
  const bounds = { maxCoordinate: 1 << 22, maxNormSq: 1n << 80n };
  return contextFor({ layout: layoutOf(size), codec, master, bounds });
}

export function commitmentOf(commit: StreamingCase["commits"][number]): UpdateCommitment {
  const { memberId, samples } = commit;
  const loss = lossCommitment({ run: PLACE.run, round: PLACE.round, memberId, samples, ...OPENING });
  return commitTo(new Uint8Array(0), { ...commit, lossCommitment: loss });
}
