// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { Convolution, DropoutLayer, ImageShape, Operations, Pooling } from "../operations.ts";
import { consumes, produces, type SymmetryGroup } from "../symmetry/symmetryGroup.ts";
import {
  type Architecture,
  type ConfigOf,
  glorot,
  he,
  linear,
  linearTensors,
  type ModelOutputs,
  type ModelTensor,
} from "./architecture.ts";
import { endingOutputs, endingSymmetries, endingTensors, endingWeight } from "./projection.ts";

type Config = ConfigOf<"cnn">;

interface Stage {
  readonly name: string;
  readonly convolution: Convolution;
  /** Absent where the stage does not pool. */
  readonly pooling?: Pooling;
  readonly output: ImageShape;
}

/** conv1, activation, pool, conv2, …, then dense1, activation, dropout, …, head: LeNet-5 and its relatives, and signals as images of height 1. */
export const convolutional: Architecture<Config> = {
  tensors(config): ModelTensor[] {
    const stages = stagesOf(config);
    const initial = (fanIn: number, fanOut: number) =>
      config.activation === "relu" ? he(fanIn) : glorot(fanIn, fanOut);
    const convolutions = stages.flatMap(({ name, convolution: { input, output, kernel } }): ModelTensor[] => {
      const window = kernel[0] * kernel[1];
      return [
        {
          name: `${name}.weight`,
          shape: [output.channels, input.channels, ...kernel],
          head: false,
          initial: initial(input.channels * window, output.channels * window),
        },
        { name: `${name}.bias`, shape: [output.channels], head: false, initial: { kind: "zeros" } },
      ];
    });
    const widths = [flattened(stages), ...config.hidden];
    const dense = config.hidden.flatMap((outputs, l) => {
      const inputs = widths[l] as number;
      return linearTensors(`dense${l + 1}`, inputs, outputs, initial(inputs, outputs));
    });
    return [...convolutions, ...dense, ...endingTensors(endingOf(config, stages))];
  },

  featureWidth: (config) => config.projection ?? endingOf(config).width,

  dropoutLayers: ({ hidden, dropout }): DropoutLayer[] =>
    dropout === undefined ? [] : hidden.map((width, l) => ({ name: `dense${l + 1}.dropout`, width, rate: dropout })),

  forward<V>(operations: Operations<V>, config: Config, input: V): ModelOutputs<V> {
    const stages = stagesOf(config);
    let x = operations.image(input, config.image);
    for (const { name, convolution, pooling } of stages) {
      x = operations.convolve(
        x,
        operations.parameter(`${name}.weight`),
        operations.parameter(`${name}.bias`),
        convolution,
      );
      // Both activations increase, so they may follow the maximum: the same function on fewer values.
      if (pooling !== undefined && config.pool === "max") x = operations.maxPool(x, pooling);
      x = operations.activate(config.activation, x);
      if (pooling !== undefined && config.pool === "average") x = operations.averagePool(x, pooling);
    }
    let features = operations.flatten(x, (stages.at(-1) as Stage).output);
    const drops = convolutional.dropoutLayers?.(config) ?? [];
    for (const [l, width] of config.hidden.entries()) {
      features = operations.activate(config.activation, linear(operations, `dense${l + 1}`, features));
      const drop = drops[l];
      if (drop !== undefined) features = operations.dropout(features, drop, width);
    }
    return endingOutputs(operations, endingOf(config, stages), features);
  },

  symmetryGroups(config): SymmetryGroup[] {
    const stages = stagesOf(config);
    const ending = endingOf(config, stages);
    /** The weights behind the image, one after another. */
    const behind = [...config.hidden.map((_, l) => `dense${l + 1}.weight`), endingWeight(ending)] as [string];
    const scaling = config.activation === "relu";
    const tanh = config.activation === "tanh";
    const channels = stages.map(({ name, output, pooling }, l): SymmetryGroup => {
      const next = stages[l + 1];
      return {
        name,
        size: output.channels,
        kind: "permutation",
        // A maximum over a window does not commute with a change of sign.
        signs: tanh && (pooling === undefined || config.pool === "average"),
        scaling,
        touches: [
          produces(`${name}.weight`, 0),
          produces(`${name}.bias`, 0),
          next === undefined
            ? consumes(behind[0], 1, { inner: output.height * output.width })
            : consumes(`${next.name}.weight`, 1),
        ],
      };
    });
    const units = config.hidden.map(
      (size, l): SymmetryGroup => ({
        name: `dense${l + 1}`,
        size,
        kind: "permutation",
        signs: tanh,
        scaling,
        touches: [
          produces(`dense${l + 1}.weight`, 0),
          produces(`dense${l + 1}.bias`, 0),
          consumes(behind[l + 1] as string, 1),
        ],
      }),
    );
    return [...channels, ...units, ...endingSymmetries(ending)];
  },
};

function endingOf(config: Config, stages = stagesOf(config)) {
  const { hidden, classes, projection } = config;
  return { head: "head", width: hidden.at(-1) ?? flattened(stages), classes, projection };
}

function flattened(stages: readonly Stage[]): number {
  const { channels, height, width } = (stages.at(-1) as Stage).output;
  return channels * height * width;
}

function stagesOf({ inputs, image, convolutions }: Config): Stage[] {
  checkImage(inputs, image);
  const stages: Stage[] = [];
  let input: ImageShape = image;
  for (const [l, { channels, kernel, padding, pool }] of convolutions.entries()) {
    const name = `conv${l + 1}`;
    // An axis of extent 1 has nothing to convolve or pool: signals are images of height 1.
    const along = (extent: number, size: number): number => (extent === 1 ? 1 : size);
    const kernels = [along(input.height, kernel), along(input.width, kernel)] as const;
    if (padding === "same" && kernel % 2 === 0)
      throw new ConfigError(
        `${name}: a kernel of ${kernel} cannot keep the image's size. Choose an odd kernel, or padding "valid".`,
      );
    const pads = kernels.map((size) => (padding === "same" ? (size - 1) / 2 : 0)) as [number, number];
    const output = {
      channels,
      height: input.height + 2 * pads[0] - kernels[0] + 1,
      width: input.width + 2 * pads[1] - kernels[1] + 1,
    };
    const convolution: Convolution = { input, output, kernel: kernels, stride: [1, 1], padding: pads };
    const size = [along(output.height, pool), along(output.width, pool)] as const;
    const pooled = {
      channels,
      height: Math.floor(output.height / size[0]),
      width: Math.floor(output.width / size[1]),
    };
    if (output.height < 1 || output.width < 1 || pooled.height < 1 || pooled.width < 1) {
      throw new ConfigError(
        `${name}: an image of ${input.height} × ${input.width} is too small for kernel ${kernel} and pool ${pool}.`,
        { layer: l + 1 },
      );
    }
    const pools = size[0] * size[1] > 1;
    stages.push({
      name,
      convolution,
      ...(pools ? { pooling: { input: output, output: pooled, size } } : {}),
      output: pools ? pooled : output,
    });
    input = pools ? pooled : output;
  }
  return stages;
}

/** @throws ConfigError unless the inputs are the image's values. */
export function checkImage(inputs: number, { channels, height, width }: ImageShape): void {
  if (inputs !== channels * height * width)
    throw new ConfigError(
      `An image of ${channels} × ${height} × ${width} has ${channels * height * width} values; the model has ${inputs} inputs.`,
      { inputs, channels, height, width },
    );
}
