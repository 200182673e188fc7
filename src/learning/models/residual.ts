// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { Convolution, ImageShape, Operations } from "../operations.ts";
import {
  blockwise,
  consumes,
  permutations,
  produces,
  type SymmetryGroup,
  type Touch,
} from "../symmetry/symmetryGroup.ts";
import { type Architecture, type ConfigOf, he, type ModelOutputs, type ModelTensor } from "./architecture.ts";
import { checkImage } from "./convolutional.ts";
import { endingOutputs, endingSymmetries, endingTensors, endingWeight } from "./projection.ts";

type Config = ConfigOf<"resnet">;

const endingOf = ({ stages, classes, projection }: Config) => ({
  head: "head",
  width: stages.at(-1) as number,
  classes,
  projection,
});

interface Block {
  readonly name: string;
  readonly stage: number;
  readonly first: Convolution;
  readonly second: Convolution;
  /** A 1×1 convolution where size or channels change; otherwise the identity. */
  readonly shortcut?: Convolution;
}

/**
 * A residual network (He et al. 2016) with group norm in place of batch norm: stem (3×3), then per stage `blocks` blocks
 * relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)), each stage after the first at half the resolution, then the mean over pixels.
 */
export const residual: Architecture<Config> = {
  tensors(config): ModelTensor[] {
    const { stem, blocks } = structureOf(config);
    return [
      ...normalised("stem", stem),
      ...blocks.flatMap(({ name, first, second, shortcut }) => [
        ...normalised(`${name}.1`, first),
        ...normalised(`${name}.2`, second),
        ...(shortcut === undefined ? [] : normalised(`${name}.shortcut`, shortcut)),
      ]),
      ...endingTensors(endingOf(config)),
    ];
  },

  featureWidth: ({ stages, projection }) => projection ?? (stages.at(-1) as number),

  forward<V>(operations: Operations<V>, config: Config, input: V): ModelOutputs<V> {
    const { stem, blocks } = structureOf(config);
    const layer = (name: string, x: V, convolution: Convolution): V =>
      operations.groupNorm(
        operations.convolve(x, operations.parameter(`${name}.conv.weight`), undefined, convolution),
        operations.parameter(`${name}.norm.weight`),
        operations.parameter(`${name}.norm.bias`),
        convolution.output,
        config.groups,
      );
    let x = operations.activate("relu", layer("stem", operations.image(input, config.image), stem));
    for (const { name, first, second, shortcut } of blocks) {
      const inner = layer(`${name}.2`, operations.activate("relu", layer(`${name}.1`, x, first)), second);
      const past = shortcut === undefined ? x : layer(`${name}.shortcut`, x, shortcut);
      x = operations.activate("relu", operations.add(inner, past));
    }
    const features = operations.globalMean(x, (blocks.at(-1) as Block).second.output);
    return endingOutputs(operations, endingOf(config), features);
  },

  /** Channels that meet in an addition move together, and group norm lets them move within their group, or whole groups. */
  symmetryGroups(config): SymmetryGroup[] {
    const { blocks } = structureOf(config);
    const streams = config.stages.map((channels, s) => {
      const touches: Touch[] = s === 0 ? producers("stem") : [];
      for (const { name, stage, shortcut } of blocks) {
        if (stage === s) {
          touches.push(...producers(`${name}.2`));
          if (shortcut !== undefined) touches.push(...producers(`${name}.shortcut`));
        }
        // Stage 1 has the stem's size, so a shortcut layer always leads from one stage into the next.
        if ((shortcut === undefined ? stage : stage - 1) === s) {
          touches.push(consumes(`${name}.1.conv.weight`, 1));
          if (shortcut !== undefined) touches.push(consumes(`${name}.shortcut.conv.weight`, 1));
        }
      }
      if (s === config.stages.length - 1) touches.push(consumes(endingWeight(endingOf(config)), 1));
      return permutations(`stage${s + 1}`, channels, touches);
    });
    const inner = blocks.map(({ name, second }) =>
      permutations(name, second.input.channels, [...producers(`${name}.1`), consumes(`${name}.2.conv.weight`, 1)]),
    );
    const channels = [...streams, ...inner].flatMap((group) => blockwise(group, group.size / config.groups));
    return [...channels, ...endingSymmetries(endingOf(config))];
  },
};

function producers(name: string): Touch[] {
  return [produces(`${name}.conv.weight`, 0), produces(`${name}.norm.weight`, 0), produces(`${name}.norm.bias`, 0)];
}

function normalised(name: string, { input, output, kernel }: Convolution): ModelTensor[] {
  const shape = [output.channels, input.channels, ...kernel];
  return [
    { name: `${name}.conv.weight`, shape, head: false, initial: he(input.channels * kernel[0] * kernel[1]) },
    { name: `${name}.norm.weight`, shape: [output.channels], head: false, initial: { kind: "ones" } },
    { name: `${name}.norm.bias`, shape: [output.channels], head: false, initial: { kind: "zeros" } },
  ];
}

function structureOf({ inputs, image, stages, blocks: perStage, groups }: Config): {
  stem: Convolution;
  blocks: Block[];
} {
  checkImage(inputs, image);
  const uneven = stages.find((channels) => channels % groups !== 0);
  if (uneven !== undefined)
    throw new ConfigError(`${uneven} channels do not split into ${groups} groups of one size.`, {
      channels: uneven,
      groups,
    });
  const stem = convolution(image, stages[0] as number, 3, 1);
  const blocks: Block[] = [];
  let shape = stem.output;
  for (const [stage, channels] of stages.entries()) {
    for (let b = 0; b < perStage; b++) {
      const stride = stage > 0 && b === 0 ? 2 : 1;
      const first = convolution(shape, channels, 3, stride);
      const second = convolution(first.output, channels, 3, 1);
      const changes = stride > 1 || channels !== shape.channels;
      blocks.push({
        name: `stage${stage + 1}.block${b + 1}`,
        stage,
        first,
        second,
        ...(changes ? { shortcut: convolution(shape, channels, 1, stride) } : {}),
      });
      shape = second.output;
    }
  }
  return { stem, blocks };
}

/** Size-keeping but for its stride; an axis of extent 1 is left alone. */
function convolution(input: ImageShape, channels: number, size: number, stride: number): Convolution {
  const extents = [input.height, input.width];
  const kernel = extents.map((extent) => (extent === 1 ? 1 : size)) as [number, number];
  const padding = kernel.map((extent) => (extent - 1) / 2) as [number, number];
  const [height, width] = extents.map((extent) => Math.ceil(extent / stride)) as [number, number];
  return { input, output: { channels, height, width }, kernel, stride: [stride, stride], padding };
}
