// SPDX-License-Identifier: Apache-2.0
import { DataError } from "../errors.ts";

const PIXELS = 3 * 32 * 32;

export interface CifarBatch {
  readonly labels: Uint8Array;
  /** images × 3 × 32 × 32: the red plane, the green, the blue, each row-major. */
  readonly pixels: Uint8Array;
}

/**
 * The binary layout of CIFAR: per image its label bytes, then 3 × 1 024 pixel bytes.
 *
 * @param classes how many classes each label byte tells apart: one of 10 in CIFAR-10; coarse and fine, 20 and 100, in CIFAR-100.
 * @param which of the label bytes to give.
 * @throws DataError BAD_FORMAT
 */
export function parseCifar(
  bytes: Uint8Array,
  source: string,
  classes: readonly number[] = [10],
  which = 0,
): CifarBatch {
  const record = classes.length + PIXELS;
  const images = bytes.length / record;
  if (!Number.isInteger(images) || images < 1) {
    throw new DataError(
      "BAD_FORMAT",
      `${source} has ${bytes.length} bytes, which is no whole number of CIFAR images of ${record}. Fetch the file again.`,
      { source, length: bytes.length },
    );
  }
  const labels = new Uint8Array(images);
  const pixels = new Uint8Array(images * PIXELS);
  for (let i = 0; i < images; i++) {
    const start = i * record;
    for (const [k, count] of classes.entries()) {
      const label = bytes[start + k] as number;
      if (label >= count)
        throw new DataError(
          "BAD_FORMAT",
          `${source}: label ${k + 1} of image ${i} is ${label}; classes are 0 to ${count - 1}. Fetch the file again.`,
          { source, i, label },
        );
    }
    labels[i] = bytes[start + which] as number;
    pixels.set(bytes.subarray(start + classes.length, start + record), i * PIXELS);
  }
  return { labels, pixels };
}
