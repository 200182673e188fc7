// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";

/**
 * The column of λ of each tensor, for a layout that is made for a rule: one for all, unless the rule weighs an update differently in its parts. FedAtt
 * attends to layers (tensors whose names differ in their last part alone); members send or leave out single tensors.
 *
 * @param names of the tensors, in layout order.
 */
export function weightGroups(config: AggregationConfig, names: readonly string[]): number[] {
  const part = partOf(config);
  const groups = new Map<string, number>();
  return names.map((name) => {
    const group = groups.get(part(name)) ?? groups.size;
    groups.set(part(name), group);
    return group;
  });
}

function partOf(config: AggregationConfig): (name: string) => string {
  if (config.rule === "mean-of-senders") return (name) => name;
  if (config.rule === "fedatt" && config.parameters.scope !== "model")
    return (name) => (name.includes(".") ? name.slice(0, name.lastIndexOf(".")) : name);
  return () => "";
}
