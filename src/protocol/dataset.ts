// SPDX-License-Identifier: Apache-2.0

/** Labelled samples: what members train on and validators score with. Nobody changes one after making it. */
export interface Dataset {
  /** size × inputs, row-major; finite, never −0. */
  readonly features: Float32Array;
  /** One class index per sample, 0 ≤ label < classes. */
  readonly labels: Int32Array;
  /** Features per sample. */
  readonly inputs: number;
  /** Number of classes, whether or not each occurs. */
  readonly classes: number;
  /** Number of samples. */
  readonly size: number;
}
