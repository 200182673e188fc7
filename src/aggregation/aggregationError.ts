// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "../protocol/errors.ts";

/** Why updates cannot be aggregated. An unmet condition is a refusal: no rule falls back to another, lowers f, or clamps. */
export type AggregationRefusal =
  /** Fewer updates than the rule's condition on K; openRun should have demanded a larger minAccepted. */
  | "TOO_FEW_UPDATES"
  /** More than 2 048, where sums of products would leave 2^53. */
  | "TOO_MANY_UPDATES"
  /** Not one value per coordinate, update or reputation, or members out of order: a defect of the caller. */
  | "BAD_INPUT"
  /** The rule weighs by losses that nobody here can open. */
  | "LOSSES_SEALED"
  /** The rule decides from something that the caller does not have (needsOf.ts). */
  | "MISSING_FACT"
  /** The rule kept no update (ByzFed with τ < 1, FLTrust with a root update of zeros or against all others). */
  | "NOTHING_KEPT"
  /** A coordinate of the new master model would leave its range, or a server optimiser's state the finite numbers. */
  | "GRID_OVERFLOW";

/** Aggregation refused; the round has no result, so no honest validator attests and it fails with NoQuorum. */
export class AggregationError extends FoedusError {
  constructor(code: AggregationRefusal, message: string, values: Record<string, unknown> = {}) {
    super(code, message, { values });
    this.name = "AggregationError";
  }
}
