// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Random } from "../../protocol/random.ts";
import type { Part } from "../loadedData.ts";
import { splitByClient } from "../loadedData.ts";
import type { Generator } from "./generator.ts";

const schema = z.strictObject({
  name: z.literal("s-lin"),
  clients: z.int().min(1).max(1000).default(30),
  /** Variance of the clients' models' means. */
  alpha: z.number().min(0).max(100).default(1),
  /** Variance of the clients' inputs' means. */
  beta: z.number().min(0).max(100).default(1),
  /** One model and one input distribution for all clients. */
  iid: z.boolean().default(false),
  /** Most samples of a client: the log-normal size has a heavy tail. */
  maxSamples: z.int().min(60).max(1_000_000).default(2000),
  testShare: z.number().min(0.01).max(0.9).default(0.2),
});

const INPUTS = 60;
const CLASSES = 10;
const MIN_SAMPLES = 50;

/**
 * S-LIN, "synthetic(α, β)" (Li et al., Federated optimization in heterogeneous networks, 2020, §5.1; spec H0). Client k has
 * y = argmax(W x + b) with W, b ~ N(u_k, 1), u_k ~ N(0, α), and x ~ N(v_k, diag(j^−1.2)), v_k ~ N(B_k, 1), B_k ~ N(0, β);
 * α and β are variances. It has n_k = ⌊lognormal(4, 2)⌋ + 50 samples, at most `maxSamples`.
 */
export const linear: Generator<typeof schema> = {
  schema,
  naturalClients: "the generator's clients, each with its own model",
  generate({ name, clients, alpha, beta, iid, maxSamples, testShare }, random) {
    const drawn = Array.from({ length: clients }, (_, client) => {
      const world = random.derive("world", iid ? 0 : client);
      const model = drawModel(world, iid ? 0 : alpha, iid ? 0 : beta, iid);
      const stream = random.derive("samples", client);
      const size = Math.min(maxSamples, Math.floor(Math.exp(4 + 2 * stream.normal())) + MIN_SAMPLES);
      return Array.from({ length: size }, () => drawSample(model, stream));
    });
    const samples = drawn.flat();
    const features = new Float32Array(samples.length * INPUTS);
    for (const [i, { x }] of samples.entries()) features.set(x, i * INPUTS);
    const whole: Part = {
      dataset: {
        features,
        labels: Int32Array.from(samples, ({ label }) => label),
        inputs: INPUTS,
        classes: CLASSES,
        size: samples.length,
      },
      clients: drawn.flatMap((own, client) => own.map(() => client)),
    };
    const { train, test } = splitByClient(whole, testShare, random.derive("split"));
    return {
      name,
      kind: "table",
      shape: [INPUTS],
      classNames: Array.from({ length: CLASSES }, (_, c) => String(c)),
      clientNames: Array.from({ length: clients }, (_, client) => `client ${client}`),
      train: train.dataset,
      test: test.dataset,
      clients: train.clients as readonly number[],
      testClients: test.clients as readonly number[],
      notes: [
        iid ? "One model for all clients." : `A model and an input distribution per client, α = ${alpha}, β = ${beta}.`,
        `A share of ${testShare} of every client's samples is the test part.`,
      ],
    };
  },
};

interface LinearWorld {
  readonly weights: Float64Array;
  readonly biases: Float64Array;
  readonly means: Float64Array;
}

function drawModel(random: Random, alpha: number, beta: number, iid: boolean): LinearWorld {
  const u = Math.sqrt(alpha) * random.normal();
  const center = Math.sqrt(beta) * random.normal();
  return {
    weights: Float64Array.from({ length: CLASSES * INPUTS }, () => u + random.normal()),
    biases: Float64Array.from({ length: CLASSES }, () => u + random.normal()),
    means: Float64Array.from({ length: INPUTS }, () => (iid ? 0 : center + random.normal())),
  };
}

function drawSample(
  { weights, biases, means }: LinearWorld,
  random: Random,
): { readonly x: Float64Array; readonly label: number } {
  // j counts from 1; the deviation is the square root of the variance j^−1.2.
  const x = means.map((mean, i) => mean + (i + 1) ** -0.6 * random.normal());
  let [label, best] = [0, Number.NEGATIVE_INFINITY];
  for (let c = 0; c < CLASSES; c++) {
    let score = biases[c] as number;
    for (let k = 0; k < INPUTS; k++) score += (weights[c * INPUTS + k] as number) * (x[k] as number);
    if (score > best) [label, best] = [c, score];
  }
  return { x, label };
}
