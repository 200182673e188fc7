// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Dataset } from "../protocol/dataset.ts";
import type { LoadedData, WholeData } from "./loadedData.ts";

/** Which index of a series moves slowest: `steps` for recurrent models; `channels` for convolutions, as an image of height 1. */
export const seriesOrder = z.enum(["steps", "channels"]).default("steps");

export type SeriesOrder = z.output<typeof seriesOrder>;

/** A series [steps, channels] as the image [channels, 1, steps]. */
function transpose(dataset: Dataset, steps: number, channels: number): Dataset {
  const features = new Float32Array(dataset.features.length);
  for (let i = 0; i < features.length; i++) {
    const sample = Math.floor(i / dataset.inputs);
    const step = i % steps;
    const channel = Math.floor(i / steps) % channels;
    features[i] = dataset.features[sample * dataset.inputs + step * channels + channel] as number;
  }
  return { ...dataset, features };
}

/** Loaded series in the order asked for. */
export function inOrder(data: LoadedData, order: SeriesOrder): LoadedData {
  if (order === "steps") return data;
  const turn = turner(data.shape);
  return {
    ...data,
    kind: "image",
    shape: imageShape(data.shape),
    train: turn(data.train),
    test: turn(data.test),
    ...(data.shifted && { shifted: { train: turn(data.shifted.train), test: turn(data.shifted.test) } }),
  };
}

/** The same before the choice of samples. */
export function wholeInOrder(data: WholeData, order: SeriesOrder): WholeData {
  if (order === "steps") return data;
  const turn = turner(data.shape);
  return {
    ...data,
    kind: "image",
    shape: imageShape(data.shape),
    train: { ...data.train, dataset: turn(data.train.dataset) },
    test: { ...data.test, dataset: turn(data.test.dataset) },
  };
}

function turner(shape: readonly number[]): (dataset: Dataset) => Dataset {
  const [steps, channels] = shape as [number, number];
  return (dataset) => transpose(dataset, steps, channels);
}

const imageShape = ([steps, channels]: readonly number[]): number[] => [channels as number, 1, steps as number];
