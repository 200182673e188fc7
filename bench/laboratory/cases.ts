// SPDX-License-Identifier: Apache-2.0
import { LENET_5 } from "../learning/models.ts";

export interface LaboratoryCase {
  readonly name: string;
  /** As in an experiment file. */
  readonly base: Readonly<Record<string, unknown>> & { readonly rounds: number };
}

/** The data say what it takes and tells apart. */
const { inputs: _, classes: __, ...lenet } = LENET_5;

/** What is promised: little beside training where training is much, and many small members in seconds. */
export const CASES: readonly LaboratoryCase[] = [
  {
    name: "lenet, fashion-mnist, 10 members",
    base: {
      members: 10,
      rounds: 10,
      data: { name: "fashion-mnist", samples: 6000, testSamples: 1000 },
      partition: { kind: "iid" },
      model: lenet,
      training: { localEpochs: 1, batchSize: 64, learningRate: 0.05, momentum: 0 },
    },
  },
  {
    name: "mlp, digits, 100 members",
    base: {
      members: 100,
      rounds: 100,
      data: { name: "digits" },
      partition: { kind: "iid" },
      model: { kind: "mlp", hidden: [32], activation: "relu" },
      training: { localEpochs: 1, batchSize: 20, learningRate: 0.1, momentum: 0 },
    },
  },
];
