// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Random } from "../../protocol/random.ts";
import type { Part } from "../loadedData.ts";
import { balancedLabels, between, clientCount, type Generator, sizes } from "./generator.ts";

const schema = z.strictObject({
  name: z.literal("s-text"),
  ...sizes(4000, 1000),
  clients: clientCount,
  topics: z.int().min(2).max(100).default(4),
  /** Words, which have ids 2 … words + 1; id 0 pads, 1 does not occur. */
  words: z.int().min(100).max(65_000).default(2000),
  /** Tokens per text; each has between half and all of them, padded at the end. */
  length: z.int().min(2).max(1024).default(32),
  /** Share of tokens that are drawn from their topic's words rather than from words common to all topics. */
  topicality: z.number().min(0).max(1).default(0.12),
  /** Probability that a word is followed by one of its successors in the topic. */
  order: z.number().min(0).max(1).default(0.5),
  /** Deviation of the clients' log-weights of topic words. */
  tilt: z.number().min(0).max(10).default(1),
});

const FIRST_WORD = 2;
const SUCCESSORS = 3;

/**
 * S-TEXT (spec H0): texts of one of four topics. A token follows the word before it with probability `order`, by the topic's table of
 * three successors per word (bigrams); else it is drawn from a Zipf distribution over the words in an order that is common
 * to all topics, or with probability `topicality` from the topic's own order (unigrams), whose weights each client tilts in its own way.
 */
export const text: Generator<typeof schema> = {
  schema,
  naturalClients: "the generator's clients, each with its own choice of words",
  generate({ name, samples, testSamples, clients, topics, words, length, topicality, order, tilt }, random) {
    const zipf = Float64Array.from({ length: words }, (_, rank) => 1 / (rank + 2));
    const common = weighted(random.derive("common").permutation(words), zipf);
    const orders = Array.from({ length: topics }, (_, topic) => random.derive("topic", topic).permutation(words));
    // Successors follow the topic's own distribution, so that a bigram also says something of the topic.
    const successors = orders.map((own, topic) => {
      const stream = random.derive("bigrams", topic);
      const table = weighted(own, zipf);
      return Array.from({ length: words * SUCCESSORS }, () =>
        (stream.uniform() < topicality ? table : common).draw(stream),
      );
    });
    const topical = Array.from({ length: clients }, (_, client) =>
      orders.map((own, topic) => {
        const stream = random.derive("tilt", client, topic);
        return weighted(
          own,
          zipf.map((weight) => weight * Math.exp(tilt * stream.normal())),
        );
      }),
    );
    const write = (size: number, stream: Random): Required<Part> => {
      const labels = Int32Array.from(balancedLabels(size, topics, stream));
      const owners = Array.from({ length: size }, (_, i) => i % clients);
      const features = new Float32Array(size * length);
      for (let i = 0; i < size; i++) {
        const topic = labels[i] as number;
        const own = (topical[owners[i] as number] as WordTable[])[topic] as WordTable;
        const follow = successors[topic] as number[];
        const tokens = Math.ceil(between(stream, length / 2, length));
        let last: number | undefined;
        for (let k = 0; k < tokens; k++) {
          const word: number =
            last !== undefined && stream.uniform() < order
              ? (follow[last * SUCCESSORS + stream.integerBelow(SUCCESSORS)] as number)
              : (stream.uniform() < topicality ? own : common).draw(stream);
          features[i * length + k] = FIRST_WORD + word;
          last = word;
        }
      }
      return { dataset: { features, labels, inputs: length, classes: topics, size }, clients: owners };
    };
    const train = write(samples, random.derive("train"));
    const test = write(testSamples, random.derive("test"));
    return {
      name,
      kind: "tokens",
      shape: [length],
      classNames: Array.from({ length: topics }, (_, topic) => `topic ${topic}`),
      clientNames: Array.from({ length: clients }, (_, client) => `client ${client}`),
      vocabulary: words + FIRST_WORD,
      train: train.dataset,
      test: test.dataset,
      clients: train.clients,
      testClients: test.clients,
      notes: [`${topics} topics over ${words} words, unigrams and bigrams; clients tilt the topics' words.`],
    };
  },
};

interface WordTable {
  draw(random: Random): number;
}

/** Draws items[r] with probability proportional to weights[r]. */
function weighted(items: readonly number[], weights: Float64Array): WordTable {
  const cumulative = new Float64Array(weights.length);
  let sum = 0;
  for (let r = 0; r < weights.length; r++) {
    sum += weights[r] as number;
    cumulative[r] = sum;
  }
  return {
    draw(random) {
      const target = random.uniform() * sum;
      let [low, high] = [0, weights.length - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((cumulative[middle] as number) > target) high = middle;
        else low = middle + 1;
      }
      return items[low] as number;
    },
  };
}
