// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../protocol/dataset.ts";
import { keyedRandom } from "../protocol/random.ts";
import { DataError } from "./errors.ts";

/** The samples at the given indices, in that order, as a dataset of its own. */
export function subset(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  const { inputs, classes } = dataset;
  const size = indices.length;
  const features = new Float32Array(size * inputs);
  const labels = new Int32Array(size);
  for (let i = 0; i < size; i++) {
    const index = indices[i] as number;
    if (!Number.isInteger(index) || index < 0 || index >= dataset.size) {
      throw new RangeError(`There is no sample ${index} in a dataset of ${dataset.size}.`);
    }
    features.set(dataset.features.subarray(index * inputs, (index + 1) * inputs), i * inputs);
    labels[i] = dataset.labels[index] as number;
  }
  return { features, labels, inputs, classes, size };
}

/**
 * Sets ⌈fraction · size⌉ uniformly chosen samples aside. Both parts keep the dataset's order.
 *
 * @throws DataError CANNOT_DEAL unless both parts get at least one sample.
 */
export function holdOut(
  dataset: Dataset,
  fraction: number,
  seed: Uint8Array | string,
): { readonly rest: Dataset; readonly heldOut: Dataset } {
  const count = Math.ceil(fraction * dataset.size);
  if (!(count >= 1 && count < dataset.size)) {
    throw new DataError(
      "CANNOT_DEAL",
      `Holding out ${fraction} of ${dataset.size} samples leaves one side empty. Choose a fraction between 0 and 1, or more samples.`,
      {
        fraction,
        size: dataset.size,
      },
    );
  }
  const order = keyedRandom(seed, "hold out").permutation(dataset.size);
  const ascending = (a: number, b: number): number => a - b;
  return {
    heldOut: subset(dataset, order.slice(0, count).sort(ascending)),
    rest: subset(dataset, order.slice(count).sort(ascending)),
  };
}
