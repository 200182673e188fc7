// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { DropoutLayer, Operations } from "../operations.ts";
import { consumes, permutations, produces, type SymmetryGroup } from "../symmetry/symmetryGroup.ts";
import type { Architecture, ConfigOf, ModelOutputs, ModelTensor } from "./architecture.ts";
import { endingOutputs, endingSymmetries, endingTensors, endingWeight } from "./projection.ts";

type Config = ConfigOf<"lstm">;

const endingOf = ({ hidden, classes, projection }: Config) => ({ head: "head", width: hidden, classes, projection });

/** Stacked LSTM layers from zero states; the last layer's last hidden state goes to the head. Names and shapes are those of `torch.nn.LSTM`. */
export const recurrent: Architecture<Config> = {
  tensors(config): ModelTensor[] {
    if (config.inputs !== config.steps * config.channels) {
      throw new ConfigError(
        `${config.steps} steps of ${config.channels} channels are ${config.steps * config.channels} values; the model has ${config.inputs} inputs.`,
        { inputs: config.inputs, steps: config.steps, channels: config.channels },
      );
    }
    const { hidden } = config;
    const initial = { kind: "uniform", bound: 1 / Math.sqrt(hidden) } as const;
    const layers = Array.from({ length: config.layers }, (_, l): ModelTensor[] => [
      { name: `lstm.weight_ih_l${l}`, shape: [4 * hidden, l === 0 ? config.channels : hidden], head: false, initial },
      { name: `lstm.weight_hh_l${l}`, shape: [4 * hidden, hidden], head: false, initial },
      // The forget gate starts open (Gers et al. 2000; Jozefowicz et al. 2015): what was seen early reaches the end.
      {
        name: `lstm.bias_ih_l${l}`,
        shape: [4 * hidden],
        head: false,
        initial: { kind: "blocks", values: [0, 1, 0, 0] },
      },
      { name: `lstm.bias_hh_l${l}`, shape: [4 * hidden], head: false, initial: { kind: "zeros" } },
    ]);
    return [...layers.flat(), ...endingTensors(endingOf(config))];
  },

  featureWidth: ({ hidden, projection }) => projection ?? hidden,

  /** Between layers, as in PyTorch: on every step's hidden state. */
  dropoutLayers: ({ layers, steps, hidden, dropout }): DropoutLayer[] =>
    dropout === undefined
      ? []
      : Array.from({ length: layers - 1 }, (_, l) => ({
          name: `lstm.l${l}.dropout`,
          width: steps * hidden,
          rate: dropout,
        })),

  forward<V>(operations: Operations<V>, config: Config, input: V): ModelOutputs<V> {
    const drops = recurrent.dropoutLayers?.(config) ?? [];
    let x = operations.sequence(input, config.steps, config.channels);
    for (let l = 0; l < config.layers; l++) {
      const weights = {
        inputWeight: operations.parameter(`lstm.weight_ih_l${l}`),
        hiddenWeight: operations.parameter(`lstm.weight_hh_l${l}`),
        inputBias: operations.parameter(`lstm.bias_ih_l${l}`),
        hiddenBias: operations.parameter(`lstm.bias_hh_l${l}`),
      };
      x = operations.lstm(x, weights, config.steps);
      const drop = drops[l];
      if (drop !== undefined) x = operations.sequenceDropout(x, drop, config.steps);
    }
    const features = operations.lastStep(x, config.steps, config.hidden);
    return endingOutputs(operations, endingOf(config), features);
  },

  /** Hidden units of a layer: the same permutation in all four gates, in the recurrence and in what reads them. */
  symmetryGroups(config): SymmetryGroup[] {
    const { layers, hidden } = config;
    const ending = endingOf(config);
    const units = Array.from({ length: layers }, (_, l) =>
      permutations(`lstm.l${l}`, hidden, [
        ...["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map((name) =>
          produces(`lstm.${name}_l${l}`, 0, { repeats: 4 }),
        ),
        consumes(`lstm.weight_hh_l${l}`, 1),
        consumes(l === layers - 1 ? endingWeight(ending) : `lstm.weight_ih_l${l + 1}`, 1),
      ]),
    );
    return [...units, ...endingSymmetries(ending)];
  },
};
