// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../../../protocol/dataset.ts";
import { argmaxRows, logitsOf, type Predictor } from "../predictors.ts";

/** n_c(x): how many of the models give sample x class c; one row of counts per sample. */
export async function ensembleVotes(predictors: readonly Predictor[], dataset: Dataset): Promise<Int32Array[]> {
  const votes = Array.from({ length: dataset.size }, () => new Int32Array(dataset.classes));
  for (const predictor of predictors) {
    const labels = argmaxRows(await logitsOf(predictor, dataset), dataset.classes);
    for (const [sample, label] of labels.entries()) {
      const row = votes[sample] as Int32Array;
      row[label] = (row[label] as number) + 1;
    }
  }
  return votes;
}
