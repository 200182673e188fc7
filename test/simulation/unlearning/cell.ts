// SPDX-License-Identifier: Apache-2.0
import { type FederationConfig, parseCell } from "../../../src/simulation/laboratory/cellConfig.ts";

/** A federation that trains in a second. */
export const TINY = {
  members: 6,
  rounds: 7,
  data: { name: "s-mix", samples: 180, testSamples: 60, s: 0.7 },
  partition: { kind: "iid" },
  model: { kind: "mlp", hidden: [6], activation: "relu" },
  training: { localEpochs: 1, batchSize: 10, learningRate: 0.1, momentum: 0 },
};

export function federationOf(recipe: object): FederationConfig {
  return parseCell({ ...TINY, ...recipe }) as FederationConfig;
}
