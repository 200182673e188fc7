// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../../protocol/dataset.ts";

/** All samples of several shards, at least one. */
export function joined(shards: readonly Dataset[]): Dataset {
  const first = shards[0] as Dataset;
  const size = shards.reduce((sum, shard) => sum + shard.size, 0);
  const features = new Float32Array(size * first.inputs);
  const labels = new Int32Array(size);
  let at = 0;
  for (const shard of shards) {
    features.set(shard.features, at * first.inputs);
    labels.set(shard.labels, at);
    at += shard.size;
  }
  return { ...first, features, labels, size };
}
