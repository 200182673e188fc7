// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../protocol/dataset.ts";
import { logSumExp, roundHalfAwayFromZero } from "../protocol/math.ts";
import { forEachSample } from "./evaluate.ts";
import type { AgreedModel } from "./model.ts";

/** Agreed losses are integers in units of 2^-20 nats. */
const UNITS_PER_NAT = 1_048_576;

/**
 * Most a single sample can lose, in nats. It keeps the function total: a model so extreme that float32 logits overflow (an
 * accepted but hostile update) must get a bad score, the same on every validator, rather than stop the round. It also keeps
 * the mean at most 2^31 units.
 */
const MAX_SAMPLE_LOSS = 2048;

/**
 * Mean cross-entropy over a dataset that validators agree on, to the bit, in units of 2^-20 nats.
 *
 * Logits from the agreed engine in batches of its fixed size, the last padded with zero samples; then in float64, sample
 * order: ℓ_s = ln Σ_c e^{z_sc} − z_s,label with this protocol's exp and log, at most 2048, and 2048 where a logit is not
 * finite; Σ ℓ_s / n, rounded once, half away from zero.
 *
 * @returns an integer in [0, 2^31].
 * @throws LearningError WRONG_SHAPE when dataset and model do not fit.
 */
export async function agreedLoss(model: AgreedModel, parameters: Float32Array, dataset: Dataset): Promise<bigint> {
  const { classes } = model.config;
  let sum = 0;
  await forEachSample(model, parameters, dataset, (logits, start, label) => {
    sum += sampleLoss(logits, start, classes, label);
  });
  return BigInt(roundHalfAwayFromZero((sum / dataset.size) * UNITS_PER_NAT));
}

/** One sample's capped cross-entropy. Exported for its tests. */
export function sampleLoss(logits: ArrayLike<number>, start: number, classes: number, label: number): number {
  for (let c = 0; c < classes; c++) if (!Number.isFinite(logits[start + c] as number)) return MAX_SAMPLE_LOSS;
  const loss = logSumExp(logits, start, classes) - (logits[start + label] as number);
  return loss < MAX_SAMPLE_LOSS ? loss : MAX_SAMPLE_LOSS;
}
