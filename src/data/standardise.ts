// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../protocol/dataset.ts";

/** Rows of a table under construction; NaN is a missing value. */
export interface Table {
  /** rows × columns, row-major. */
  readonly values: Float64Array;
  readonly columns: number;
}

/** Mean and standard deviation (over n) of a column's present values. */
interface ColumnStatistics {
  readonly mean: number;
  readonly deviation: number;
}

/**
 * Columns scaled to mean 0 and standard deviation 1 of the training rows. Constant columns become 0. A missing value becomes 0, the
 * training mean. Scaled values are held within ±limit, since a column that is almost always constant has outliers of a hundred
 * deviations.
 *
 * The statistics are of all training rows together: members would agree on them by one secure sum before training.
 *
 * @param untouched columns that stay as they are, such as indicators.
 */
export function standardiser(
  train: Table,
  {
    limit = 10,
    untouched = new Set<number>(),
  }: { readonly limit?: number; readonly untouched?: ReadonlySet<number> } = {},
): (table: Table) => Float32Array {
  const statistics = Array.from({ length: train.columns }, (_, column) => columnStatistics(train, column));
  return ({ values, columns }) => {
    const scaled = new Float32Array(values.length);
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      const { mean, deviation } = statistics[i % columns] as ColumnStatistics;
      if (untouched.has(i % columns)) scaled[i] = value;
      else if (!Number.isNaN(value) && deviation > 0)
        // −0 has no canonical encoding.
        scaled[i] = Math.max(-limit, Math.min(limit, (value - mean) / deviation)) + 0;
    }
    return scaled;
  };
}

function columnStatistics({ values, columns }: Table, column: number): ColumnStatistics {
  let [count, sum] = [0, 0];
  for (let i = column; i < values.length; i += columns) {
    const value = values[i] as number;
    if (Number.isNaN(value)) continue;
    count += 1;
    sum += value;
  }
  if (count === 0) return { mean: 0, deviation: 0 };
  const mean = sum / count;
  let squares = 0;
  for (let i = column; i < values.length; i += columns) {
    const value = values[i] as number;
    if (!Number.isNaN(value)) squares += (value - mean) * (value - mean);
  }
  const deviation = Math.sqrt(squares / count);
  // A constant column of inexact numbers has a deviation of rounding errors.
  return { mean, deviation: deviation > 1e-12 * Math.max(1, Math.abs(mean)) ? deviation : 0 };
}

/** Both parts of a dataset standardised by the training part. */
export function standardiseDatasets(
  train: Dataset,
  test: Dataset,
): { readonly train: Dataset; readonly test: Dataset } {
  const table = ({ features, inputs }: Dataset): Table => ({ values: Float64Array.from(features), columns: inputs });
  const scale = standardiser(table(train));
  return { train: { ...train, features: scale(table(train)) }, test: { ...test, features: scale(table(test)) } };
}
