// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../../protocol/dataset.ts";
import { ConfigError } from "../../protocol/errors.ts";
import type { Random } from "../../protocol/random.ts";
import { rows } from "./batches.ts";

/**
 * A root or probe set: `size` samples of the server's own data, uniformly chosen, in the data's order.
 *
 * @throws ConfigError when there are fewer.
 */
export function chooseSamples(dataset: Dataset, size: number, random: Random): Dataset {
  if (!(size >= 1 && size <= dataset.size))
    throw new ConfigError(
      `${size} samples cannot be chosen from ${dataset.size}; name a smaller size or give the server more data.`,
      {
        size,
        available: dataset.size,
      },
    );
  const { inputs, classes } = dataset;
  const chosen = random
    .permutation(dataset.size)
    .slice(0, size)
    .sort((a, b) => a - b);
  return {
    features: rows(dataset.features, inputs, chosen),
    labels: Int32Array.from(chosen, (index) => dataset.labels[index] as number),
    inputs,
    classes,
    size,
  };
}
