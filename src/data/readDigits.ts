// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../protocol/dataset.ts";
import { readCsv } from "./readCsv.ts";

/**
 * UCI Optical Recognition of Handwritten Digits as scikit-learn ships it: 8 × 8 pixels of 0 … 16, then the digit.
 * Pixels become sixteenths, which float32 holds exactly.
 */
export function readDigits(path: string): Promise<Dataset> {
  return readCsv(path, { inputs: 64, classes: 10, scale: 1 / 16, maxBytes: 4 * 1_048_576 });
}
