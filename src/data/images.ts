// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../protocol/dataset.ts";
import { DataError } from "./errors.ts";

/** Per channel, of pixels in [0, 1]. */
export interface PixelStatistics {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/**
 * Byte images as a dataset: pixels / 255, then (x − mean) / deviation of their channel if statistics are given.
 *
 * @param shape channels, height, width.
 */
export function imagesToDataset(
  pixels: Uint8Array,
  labels: Uint8Array,
  shape: readonly [channels: number, height: number, width: number],
  classes: number,
  source: string,
  statistics?: PixelStatistics,
): Dataset {
  const [channels, height, width] = shape;
  const plane = height * width;
  const inputs = channels * plane;
  const size = labels.length;
  if (size < 1 || pixels.length !== size * inputs)
    throw new DataError(
      "BAD_FORMAT",
      `${source}: ${size} labels do not fit ${pixels.length} pixels of ${inputs} each.`,
      {
        source,
        size,
        pixels: pixels.length,
      },
    );
  for (const [i, label] of labels.entries())
    if (label >= classes)
      throw new DataError("BAD_FORMAT", `${source}: image ${i} has label ${label}; classes are 0 to ${classes - 1}.`, {
        source,
        i,
      });
  // There are 256 values per channel, but 47 million pixels.
  const values = Array.from({ length: channels }, (_, channel) =>
    Float32Array.from({ length: 256 }, (_, byte) => scaled(byte / 255, channel, statistics)),
  );
  const features = new Float32Array(pixels.length);
  for (let start = 0; start < pixels.length; start += plane) {
    const table = values[(start / plane) % channels] as Float32Array;
    for (let i = start; i < start + plane; i++) features[i] = table[pixels[i] as number] as number;
  }
  return { features, labels: Int32Array.from(labels), inputs, classes, size };
}

function scaled(unit: number, channel: number, statistics: PixelStatistics | undefined): number {
  return statistics ? (unit - (statistics.mean[channel] as number)) / (statistics.deviation[channel] as number) : unit;
}

/** The mean of each 2 × 2 block, rounded down to a whole byte: half the height and width (both even), one channel. */
export function halve(pixels: Uint8Array, height: number, width: number): Uint8Array {
  const [rows, columns] = [height / 2, width / 2];
  const images = pixels.length / (height * width);
  const halved = new Uint8Array(images * rows * columns);
  for (let i = 0; i < halved.length; i++) {
    const image = Math.floor(i / (rows * columns));
    const row = Math.floor(i / columns) % rows;
    const at = image * height * width + 2 * row * width + 2 * (i % columns);
    const sum =
      (pixels[at] as number) +
      (pixels[at + 1] as number) +
      (pixels[at + width] as number) +
      (pixels[at + width + 1] as number);
    halved[i] = sum >> 2;
  }
  return halved;
}
