// SPDX-License-Identifier: Apache-2.0

export interface LaboratoryCase {
  readonly name: string;
  /** As in an experiment file. */
  readonly base: Readonly<Record<string, unknown>> & { readonly rounds: number };
}

/** What is promised: little beside training where training is much, and many small members in seconds. */
export const CASES: readonly LaboratoryCase[] = [
  {
    name: "lenet, fashion-mnist, 10 members",
    base: {
      members: 10,
      rounds: 10,
      data: { name: "fashion-mnist", samples: 6000, testSamples: 1000 },
      partition: { kind: "iid" },
      model: {
        kind: "cnn",
        image: { channels: 1, height: 28, width: 28 },
        convolutions: [
          { channels: 6, kernel: 5, padding: "same", pool: 2 },
          { channels: 16, kernel: 5, padding: "valid", pool: 2 },
        ],
        pool: "max",
        hidden: [120, 84],
        activation: "relu",
      },
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
