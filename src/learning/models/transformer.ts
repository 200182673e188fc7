// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { DropoutLayer, Operations } from "../operations.ts";
import { consumes, permutations, produces, type SymmetryGroup, type Touch } from "../symmetry/symmetryGroup.ts";
import { adapted, adapterGroups, adapterTensors, adapterTouches } from "./adapter.ts";
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

type Config = ConfigOf<"transformer">;

const endingOf = ({ width, classes, projection }: Config) => ({ head: "head", width, classes, projection });

/**
 * Transformer encoder (Vaswani et al. 2017) with learned positions, the mean over tokens and a linear head. Names and shapes of a block are
 * those of `torch.nn.TransformerEncoderLayer`; with normalisation "pre" a last layer norm follows the blocks. Adapters stand where Houlsby et al.
 * (2019) have them: after attention and after the feed-forward network, before the addition.
 */
export const transformer: Architecture<Config> = {
  tensors(config): ModelTensor[] {
    const { inputs, vocabulary, width, heads, feedForward, adapters } = config;
    if (width % heads !== 0)
      throw new ConfigError(`A width of ${width} does not split into ${heads} heads of one size.`, { width, heads });
    const table = { kind: "normal", deviation: 1 / Math.sqrt(width) } as const;
    const inner = blockNames(config).flatMap((block): ModelTensor[] => [
      {
        name: `${block}.self_attn.in_proj_weight`,
        shape: [3 * width, width],
        head: false,
        initial: glorot(width, width),
      },
      { name: `${block}.self_attn.in_proj_bias`, shape: [3 * width], head: false, initial: { kind: "zeros" } },
      ...linearTensors(`${block}.self_attn.out_proj`, width, width, glorot(width, width)),
      ...linearTensors(`${block}.linear1`, width, feedForward, he(width)),
      ...linearTensors(`${block}.linear2`, feedForward, width, glorot(feedForward, width)),
      ...norm(`${block}.norm1`, width),
      ...norm(`${block}.norm2`, width),
      ...adapterTensors(`${block}.adapter1`, width, adapters, "relu"),
      ...adapterTensors(`${block}.adapter2`, width, adapters, "relu"),
    ]);
    return [
      { name: "embedding.weight", shape: [vocabulary, width], head: false, initial: table },
      { name: "position.weight", shape: [inputs, width], head: false, initial: table },
      ...inner,
      ...(config.normalisation === "pre" ? norm("encoder.norm", width) : []),
      ...endingTensors(endingOf(config)),
    ];
  },

  featureWidth: ({ width, projection }) => projection ?? width,
  vocabulary: ({ vocabulary }) => vocabulary,

  /** On each branch before it is added to the stream. */
  dropoutLayers: (config): DropoutLayer[] => {
    const rate = config.dropout;
    if (rate === undefined) return [];
    return blockNames(config).flatMap((block) =>
      ["dropout1", "dropout2"].map((name) => ({
        name: `${block}.${name}`,
        width: config.inputs * config.width,
        rate,
      })),
    );
  },

  forward<V>(operations: Operations<V>, config: Config, input: V): ModelOutputs<V> {
    const { inputs: length, width, heads, normalisation, vocabulary } = config;
    const drops = new Map(transformer.dropoutLayers?.(config).map((layer) => [layer.name, layer]));
    /** The end of branch 1 (attention) or 2 of a block: dropout, then the adapter. */
    const ended = (block: string, branch: 1 | 2, x: V): V => {
      const layer = drops.get(`${block}.dropout${branch}`);
      const kept = layer === undefined ? x : operations.dropout(x, layer, width);
      return adapted(operations, `${block}.adapter${branch}`, kept, config.adapters, "relu");
    };
    const normalised = (name: string, x: V): V =>
      operations.layerNorm(x, operations.parameter(`${name}.weight`), operations.parameter(`${name}.bias`));
    /** x + f(norm(x)), or norm(x + f(x)). */
    const branch = (name: string, x: V, f: (x: V) => V): V =>
      normalisation === "pre" ? operations.add(x, f(normalised(name, x))) : normalised(name, operations.add(x, f(x)));

    const embedded = operations.embedding(input, operations.parameter("embedding.weight"), width, vocabulary);
    let x = operations.addPositions(embedded, operations.parameter("position.weight"), length, width);
    for (const block of blockNames(config)) {
      x = branch(`${block}.norm1`, x, (h) => {
        const packed = operations.linear(
          h,
          operations.parameter(`${block}.self_attn.in_proj_weight`),
          operations.parameter(`${block}.self_attn.in_proj_bias`),
        );
        const attended = operations.attention(packed, input, { length, heads, width });
        return ended(block, 1, linear(operations, `${block}.self_attn.out_proj`, attended));
      });
      x = branch(`${block}.norm2`, x, (h) => {
        const hidden = operations.activate("relu", linear(operations, `${block}.linear1`, h));
        return ended(block, 2, linear(operations, `${block}.linear2`, hidden));
      });
    }
    if (normalisation === "pre") x = normalised("encoder.norm", x);
    const features = operations.meanOverTokens(x, input, length, width);
    return endingOutputs(operations, endingOf(config), features);
  },

  symmetryGroups(config): SymmetryGroup[] {
    const { width, heads, feedForward, adapters } = config;
    const size = width / heads;
    const blocks = blockNames(config);
    const stream: Touch[] = [
      produces("embedding.weight", 1),
      produces("position.weight", 1),
      ...blocks.flatMap((block) => [
        consumes(`${block}.self_attn.in_proj_weight`, 1),
        produces(`${block}.self_attn.out_proj.weight`, 0),
        produces(`${block}.self_attn.out_proj.bias`, 0),
        consumes(`${block}.linear1.weight`, 1),
        produces(`${block}.linear2.weight`, 0),
        produces(`${block}.linear2.bias`, 0),
        ...["norm1", "norm2"].flatMap((name) => [
          produces(`${block}.${name}.weight`, 0),
          produces(`${block}.${name}.bias`, 0),
        ]),
        ...["adapter1", "adapter2"].flatMap((name) => adapterTouches(`${block}.${name}`, adapters)),
      ]),
      ...(config.normalisation === "pre" ? [produces("encoder.norm.weight", 0), produces("encoder.norm.bias", 0)] : []),
      consumes(endingWeight(endingOf(config)), 1),
    ];
    return [
      ...endingSymmetries(endingOf(config)),
      permutations("stream", width, stream),
      ...blocks.flatMap((block): SymmetryGroup[] => {
        const projection = [`${block}.self_attn.in_proj_weight`, `${block}.self_attn.in_proj_bias`];
        const rows = (offset: number): Touch[] => projection.map((name) => produces(name, 0, { offset }));
        return [
          {
            ...permutations(`${block}.ffn`, feedForward, [
              produces(`${block}.linear1.weight`, 0),
              produces(`${block}.linear1.bias`, 0),
              consumes(`${block}.linear2.weight`, 1),
            ]),
            scaling: true,
          },
          permutations(`${block}.heads`, heads, [
            ...projection.map((name) => produces(name, 0, { repeats: 3, inner: size })),
            consumes(`${block}.self_attn.out_proj.weight`, 1, { inner: size }),
          ]),
          ...Array.from({ length: heads }, (_, h): SymmetryGroup[] => [
            {
              name: `${block}.head${h}.queryKey`,
              size,
              kind: "orthogonal",
              signs: true,
              scaling: false,
              touches: [...rows(h * size), ...rows(width + h * size)],
            },
            {
              name: `${block}.head${h}.value`,
              size,
              kind: "linear",
              signs: true,
              scaling: true,
              touches: [
                ...rows(2 * width + h * size),
                consumes(`${block}.self_attn.out_proj.weight`, 1, { offset: h * size }),
              ],
            },
          ]).flat(),
          ...adapterGroups(`${block}.adapter1`, adapters, "relu"),
          ...adapterGroups(`${block}.adapter2`, adapters, "relu"),
        ];
      }),
    ];
  },
};

function blockNames({ blocks }: Config): string[] {
  return Array.from({ length: blocks }, (_, b) => `encoder.layers.${b}`);
}

function norm(name: string, width: number): ModelTensor[] {
  return [
    { name: `${name}.weight`, shape: [width], head: false, initial: { kind: "ones" } },
    { name: `${name}.bias`, shape: [width], head: false, initial: { kind: "zeros" } },
  ];
}
