// SPDX-License-Identifier: Apache-2.0
import type { CellResult } from "../../../src/simulation/laboratory/cellResult.ts";

/** A result with chosen figures; everything else is the same for all. */
export function resultOf(
  labels: Readonly<Record<string, string>>,
  seed: number,
  final: Partial<CellResult["final"]>,
  more: Partial<CellResult> = {},
): CellResult {
  return {
    version: 1,
    experiment: "made-up",
    id: `${JSON.stringify(labels)}-${seed}`,
    code: "0123456789abcdef",
    labels: { ...labels },
    seed,
    parameters: 100,
    points: [
      { round: 0, time: null, accuracy: 0.1, loss: 2.3, clientMean: null, clientStd: null },
      { round: 5, time: null, accuracy: final.accuracy ?? 0.5, loss: 1, clientMean: null, clientStd: null },
    ],
    final: {
      accuracy: 0.5,
      loss: 1,
      clientMean: null,
      clientStd: null,
      clientWorst: null,
      jain: null,
      detectionRecall: null,
      detectionFalsePositives: null,
      jacobian: null,
      epsilon: null,
      ...final,
    },
    figures: {},
    clients: [],
    traffic: { uplinkBytes: 1_000, downlinkBytes: 4_000, denseUplinkBytes: 8_000 },
    rounds: { finalised: 5, failed: 0, refused: 0, reason: null },
    head: "0x00",
    seconds: { total: 2, training: 1.8 },
    ...more,
  };
}
