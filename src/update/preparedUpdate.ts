// SPDX-License-Identifier: Apache-2.0

/** What a member has of its update before it is committed. */
export interface PreparedUpdate {
  /** Bytes for the artifact. */
  readonly payload: Uint8Array;
  /** q as every reader decodes it. */
  readonly decoded: Int32Array;
  /**
   * e' = clip(Δ + e) − q, grid units, without any noise; zeros where the codec is unbiased. The node adopts it only once the update was kept in a
   * finalised round; otherwise e stays.
   */
  readonly nextResidual: Float64Array;
  /** Coordinates cut to a bound of their own. */
  readonly clippedCoordinates: number;
  /** Factor of the L2 clip; 1 when the norm was within its bound. */
  readonly clipFactor: number;
}
