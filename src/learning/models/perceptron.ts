// SPDX-License-Identifier: Apache-2.0
import type { DropoutLayer, Operations } from "../operations.ts";
import { consumes, produces, type SymmetryGroup } from "../symmetry/symmetryGroup.ts";
import {
  type Architecture,
  type ConfigOf,
  glorot,
  he,
  linear,
  linearTensors,
  type ModelOutputs,
} from "./architecture.ts";

/** Logistic regression: one linear layer, layer1. */
export const logistic: Architecture<ConfigOf<"logistic">> = {
  tensors: ({ inputs, classes }) => linearTensors("layer1", inputs, classes, glorot(inputs, classes), true),
  featureWidth: ({ inputs }) => inputs,
  forward: (operations, _, input) => ({ logits: linear(operations, "layer1", input), features: input }),
  symmetryGroups: () => [],
};

/** layer1, activation, dropout, layer2, …; the last layer is linear. */
export const perceptron: Architecture<ConfigOf<"mlp">> = {
  tensors({ inputs, hidden, classes, activation }) {
    const widths = [inputs, ...hidden];
    return [...hidden, classes].flatMap((outputs, l) => {
      const fanIn = widths[l] as number;
      const head = l === hidden.length;
      const initial = head || activation === "tanh" ? glorot(fanIn, outputs) : he(fanIn);
      return linearTensors(`layer${l + 1}`, fanIn, outputs, initial, head);
    });
  },
  featureWidth: ({ hidden }) => hidden.at(-1) as number,
  dropoutLayers: ({ hidden, dropout }): DropoutLayer[] =>
    dropout === undefined ? [] : hidden.map((width, l) => ({ name: `layer${l + 1}.dropout`, width, rate: dropout })),
  forward<V>(operations: Operations<V>, config: ConfigOf<"mlp">, input: V): ModelOutputs<V> {
    const drops = perceptron.dropoutLayers?.(config) ?? [];
    let features = input;
    for (const [l, width] of config.hidden.entries()) {
      features = operations.activate(config.activation, linear(operations, `layer${l + 1}`, features));
      const drop = drops[l];
      if (drop !== undefined) features = operations.dropout(features, drop, width);
    }
    return { logits: linear(operations, `layer${config.hidden.length + 1}`, features), features };
  },
  symmetryGroups: ({ hidden, activation }): SymmetryGroup[] =>
    hidden.map((size, l) => ({
      name: `layer${l + 1}`,
      size,
      kind: "permutation",
      signs: activation === "tanh",
      scaling: activation === "relu",
      touches: [
        produces(`layer${l + 1}.weight`, 0),
        produces(`layer${l + 1}.bias`, 0),
        consumes(`layer${l + 2}.weight`, 1),
      ],
    })),
};
