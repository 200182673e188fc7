// SPDX-License-Identifier: Apache-2.0
import { consumes, permutations, produces } from "../symmetry/symmetryGroup.ts";
import type { Architecture, ConfigOf } from "./architecture.ts";
import { endingOutputs, endingSymmetries, endingTensors, endingWeight } from "./projection.ts";

type Config = ConfigOf<"bagOfEmbeddings">;

const endingOf = ({ width, classes, projection }: Config) => ({ head: "head", width, classes, projection });

/** The mean of a text's token embeddings, then a linear head (Joulin et al. 2017, without n-grams). Any rotation of the features is a symmetry. */
export const bagOfEmbeddings: Architecture<Config> = {
  tensors: (config) => [
    {
      name: "embedding.weight",
      shape: [config.vocabulary, config.width],
      head: false,
      initial: { kind: "normal", deviation: 1 / Math.sqrt(config.width) },
    },
    ...endingTensors(endingOf(config)),
  ],
  featureWidth: ({ width, projection }) => projection ?? width,
  vocabulary: ({ vocabulary }) => vocabulary,
  forward: (operations, config, input) => {
    const { inputs, width, vocabulary } = config;
    const words = operations.embedding(input, operations.parameter("embedding.weight"), width, vocabulary);
    const features = operations.meanOverTokens(words, input, inputs, width);
    return endingOutputs(operations, endingOf(config), features);
  },
  symmetryGroups: (config) => {
    const { width } = config;
    const ending = endingOf(config);
    const touches = [produces("embedding.weight", 1), consumes(endingWeight(ending), 1)];
    return [
      permutations("features", width, touches),
      { name: "features.linear", size: width, kind: "linear", signs: true, scaling: true, touches },
      ...endingSymmetries(ending),
    ];
  },
};
