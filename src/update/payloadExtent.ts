// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";
import type { PayloadLayout } from "./lowRank.ts";

/** What a payload is of: the layout, or its size alone for codecs that do not look at shapes. */
export type PayloadExtent = number | PayloadLayout;

/** d. */
export function sizeOf(extent: PayloadExtent): number {
  return typeof extent === "number" ? extent : extent.size;
}

/** @throws ConfigError where only the size is known. */
export function layoutOf(extent: PayloadExtent): PayloadLayout {
  if (typeof extent !== "number") return extent;
  throw new ConfigError("A codec of factors needs the layout of what it codes: it reads tensors as matrices.", {
    size: extent,
  });
}
