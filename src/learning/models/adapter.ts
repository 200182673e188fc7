// SPDX-License-Identifier: Apache-2.0

/**
 * Bottleneck adapters (Houlsby et al. 2019; spec B15): h + W_up·act(W_down·h + b_down) + b_up. W_up starts at 0, so that a model with adapters
 * starts as the model without them.
 */

import type { Activation, Operations } from "../operations.ts";
import { consumes, produces, type SymmetryGroup, type Touch } from "../symmetry/symmetryGroup.ts";
import { glorot, he, linear, linearTensors, type ModelTensor } from "./architecture.ts";

/** What a model's configuration says of its adapters; undefined where it has none. */
type Adapters = { readonly width: number } | undefined;

/** `${name}.down` [width, features], then `${name}.up` [features, width]. */
export function adapterTensors(name: string, features: number, adapters: Adapters, kind: Activation): ModelTensor[] {
  if (adapters === undefined) return [];
  const { width } = adapters;
  const down = kind === "relu" ? he(features) : glorot(features, width);
  return [
    ...linearTensors(`${name}.down`, features, width, down),
    ...linearTensors(`${name}.up`, width, features, { kind: "zeros" }),
  ].map((tensor) => ({ ...tensor, adapter: true }));
}

/** The adapter of that name applied to rows; the rows themselves where there are none. */
export function adapted<V>(operations: Operations<V>, name: string, x: V, adapters: Adapters, kind: Activation): V {
  if (adapters === undefined) return x;
  const inner = operations.activate(kind, linear(operations, `${name}.down`, x));
  return operations.add(x, linear(operations, `${name}.up`, inner));
}

/** Where units that pass through an adapter touch it: it reads them, and adds to each. */
export function adapterTouches(name: string, adapters: Adapters): Touch[] {
  if (adapters === undefined) return [];
  return [consumes(`${name}.down.weight`, 1), produces(`${name}.up.weight`, 0), produces(`${name}.up.bias`, 0)];
}

/** The bottleneck's own units. */
export function adapterGroups(name: string, adapters: Adapters, kind: Activation): SymmetryGroup[] {
  if (adapters === undefined) return [];
  return [
    {
      name,
      size: adapters.width,
      kind: "permutation",
      signs: kind === "tanh",
      scaling: kind === "relu",
      touches: [produces(`${name}.down.weight`, 0), produces(`${name}.down.bias`, 0), consumes(`${name}.up.weight`, 1)],
    },
  ];
}
