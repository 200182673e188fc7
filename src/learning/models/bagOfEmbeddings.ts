// SPDX-License-Identifier: Apache-2.0
import { consumes, permutations, produces } from "../symmetry/symmetryGroup.ts";
import { type Architecture, type ConfigOf, glorot, linear, linearTensors } from "./architecture.ts";

/** The mean of a text's token embeddings, then a linear head (Joulin et al. 2017, without n-grams). Any rotation of the features is a symmetry. */
export const bagOfEmbeddings: Architecture<ConfigOf<"bagOfEmbeddings">> = {
  tensors: ({ vocabulary, width, classes }) => [
    {
      name: "embedding.weight",
      shape: [vocabulary, width],
      head: false,
      initial: { kind: "normal", deviation: 1 / Math.sqrt(width) },
    },
    ...linearTensors("head", width, classes, glorot(width, classes), true),
  ],
  featureWidth: ({ width }) => width,
  vocabulary: ({ vocabulary }) => vocabulary,
  forward: (operations, { inputs, width }, input) => {
    const words = operations.embedding(input, operations.parameter("embedding.weight"), width);
    const features = operations.meanOverTokens(words, input, inputs, width);
    return { logits: linear(operations, "head", features), features };
  },
  symmetryGroups: ({ width }) => {
    const touches = [produces("embedding.weight", 1), consumes("head.weight", 1)];
    return [
      permutations("features", width, touches),
      { name: "features.linear", size: width, kind: "linear", signs: true, scaling: true, touches },
    ];
  },
};
