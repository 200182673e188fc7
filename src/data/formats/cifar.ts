// SPDX-License-Identifier: Apache-2.0
import { DataError } from "../errors.ts";

const PIXELS = 3 * 32 * 32;
const RECORD = 1 + PIXELS;
const CLASSES = 10;

export interface CifarBatch {
  readonly labels: Uint8Array;
  /** images × 3 × 32 × 32: the red plane, the green, the blue, each row-major. */
  readonly pixels: Uint8Array;
}

/** The CIFAR-10 binary layout: per image one label byte, then 3 × 1 024 pixel bytes. @throws DataError BAD_FORMAT */
export function parseCifar(bytes: Uint8Array, source: string): CifarBatch {
  const images = bytes.length / RECORD;
  if (!Number.isInteger(images) || images < 1) {
    throw new DataError(
      "BAD_FORMAT",
      `${source} has ${bytes.length} bytes, which is no whole number of CIFAR-10 images of ${RECORD}. Fetch the file again.`,
      { source, length: bytes.length },
    );
  }
  const labels = new Uint8Array(images);
  const pixels = new Uint8Array(images * PIXELS);
  for (let i = 0; i < images; i++) {
    const label = bytes[i * RECORD] as number;
    if (label >= CLASSES)
      throw new DataError("BAD_FORMAT", `${source}: image ${i} has label ${label}; CIFAR-10 has 0 to 9.`, {
        source,
        i,
      });
    labels[i] = label;
    pixels.set(bytes.subarray(i * RECORD + 1, (i + 1) * RECORD), i * PIXELS);
  }
  return { labels, pixels };
}
