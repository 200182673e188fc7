// SPDX-License-Identifier: Apache-2.0
import type { DropoutLayer, Operations } from "../operations.ts";
import { consumes, produces, type SymmetryGroup } from "../symmetry/symmetryGroup.ts";
import { adapted, adapterGroups, adapterTensors, adapterTouches } from "./adapter.ts";
import {
  type Architecture,
  type ConfigOf,
  glorot,
  he,
  linear,
  linearTensors,
  type ModelOutputs,
} from "./architecture.ts";
import { endingOutputs, endingSymmetries, endingTensors, endingWeight } from "./projection.ts";

/** Logistic regression: one linear layer, layer1. */
export const logistic: Architecture<ConfigOf<"logistic">> = {
  tensors: ({ inputs, classes }) => linearTensors("layer1", inputs, classes, glorot(inputs, classes), true),
  featureWidth: ({ inputs }) => inputs,
  forward: (operations, _, input) => ({ logits: linear(operations, "layer1", input), features: input }),
  symmetryGroups: () => [],
};

const endingOf = ({ hidden, classes, projection }: ConfigOf<"mlp">) => ({
  head: `layer${hidden.length + 1}`,
  width: hidden.at(-1) as number,
  classes,
  projection,
});

/** layer1, activation, adapter1, dropout, layer2, …; the last layer is linear. A projection head, if any, stands before it. */
export const perceptron: Architecture<ConfigOf<"mlp">> = {
  tensors(config) {
    const { inputs, hidden, activation, adapters } = config;
    const widths = [inputs, ...hidden];
    const body = hidden.flatMap((outputs, l) => {
      const fanIn = widths[l] as number;
      const initial = activation === "tanh" ? glorot(fanIn, outputs) : he(fanIn);
      return [
        ...linearTensors(`layer${l + 1}`, fanIn, outputs, initial),
        ...adapterTensors(`adapter${l + 1}`, outputs, adapters, activation),
      ];
    });
    return [...body, ...endingTensors(endingOf(config))];
  },
  featureWidth: ({ hidden, projection }) => projection ?? (hidden.at(-1) as number),
  dropoutLayers: ({ hidden, dropout }): DropoutLayer[] =>
    dropout === undefined ? [] : hidden.map((width, l) => ({ name: `layer${l + 1}.dropout`, width, rate: dropout })),
  forward<V>(operations: Operations<V>, config: ConfigOf<"mlp">, input: V): ModelOutputs<V> {
    const drops = perceptron.dropoutLayers?.(config) ?? [];
    let features = input;
    for (const [l, width] of config.hidden.entries()) {
      features = operations.activate(config.activation, linear(operations, `layer${l + 1}`, features));
      features = adapted(operations, `adapter${l + 1}`, features, config.adapters, config.activation);
      const drop = drops[l];
      if (drop !== undefined) features = operations.dropout(features, drop, width);
    }
    return endingOutputs(operations, endingOf(config), features);
  },
  symmetryGroups(config): SymmetryGroup[] {
    const { hidden, activation, adapters } = config;
    const ending = endingOf(config);
    const units = hidden.map(
      (size, l): SymmetryGroup => ({
        name: `layer${l + 1}`,
        size,
        kind: "permutation",
        signs: activation === "tanh",
        scaling: activation === "relu",
        touches: [
          produces(`layer${l + 1}.weight`, 0),
          produces(`layer${l + 1}.bias`, 0),
          ...adapterTouches(`adapter${l + 1}`, adapters),
          consumes(l + 1 < hidden.length ? `layer${l + 2}.weight` : endingWeight(ending), 1),
        ],
      }),
    );
    const bottlenecks = hidden.flatMap((_, l) => adapterGroups(`adapter${l + 1}`, adapters, activation));
    return [...units, ...bottlenecks, ...endingSymmetries(ending)];
  },
};
