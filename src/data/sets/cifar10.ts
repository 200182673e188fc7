// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Dataset } from "../../protocol/dataset.ts";
import type { DataFolder } from "../dataFolder.ts";
import { type DataSet, fileOptions, sampleOptions } from "../dataSet.ts";
import { parseCifar } from "../formats/cifar.ts";
import { imagesToDataset, type PixelStatistics } from "../images.ts";

const schema = z.strictObject({
  name: z.literal("cifar10"),
  ...fileOptions,
  ...sampleOptions,
  /** Batches of the binary layout to train and to test on, in order; by default what the benchmark folder holds. */
  trainFiles: z.array(z.string().min(1)).min(1).max(16).default(["data_batch_1.bin.gz"]),
  testFiles: z
    .array(z.string().min(1))
    .min(1)
    .max(16)
    .default(["test_batch_first1000.bin.gz", "heldout_train_49000_49999.bin.gz"]),
  scale: z.enum(["unit", "standard"]).default("standard"),
});

/** Of the 50 000 training images. */
const STATISTICS: PixelStatistics = { mean: [0.4914, 0.4822, 0.4465], deviation: [0.247, 0.2435, 0.2616] };
const CLASS_NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/** CIFAR-10: the first 10 000 training images, and 2 000 images that no training file here has. */
export const cifar10: DataSet<typeof schema> = {
  schema,
  folder: "cifar10",
  files: {
    "data_batch_1.bin.gz": "f27c826404183bf6fd3823fb45744b4f7fd83201dfa6253c32e8d2f8e60e8f1b",
    "test_batch_first1000.bin.gz": "481869234567c4835abc7c5f640eb4c2dd6fb841f09ea94a7f989d31f337e06c",
    "heldout_train_49000_49999.bin.gz": "7524da1f9be04c4e24a59bb88ddac4c98c5781b99434b205c8dd54fc5ea79974",
  },
  licence: "none stated; research use",
  citation: "Krizhevsky: Learning multiple layers of features from tiny images, 2009",
  async load({ name, trainFiles, testFiles, scale }, folder) {
    const statistics = scale === "standard" ? STATISTICS : undefined;
    return {
      name,
      kind: "image",
      shape: [3, 32, 32],
      classNames: CLASS_NAMES,
      train: { dataset: await readBatches(trainFiles, folder, statistics) },
      test: { dataset: await readBatches(testFiles, folder, statistics) },
      notes: [
        "Planes red, green, blue.",
        statistics
          ? `(pixel / 255 − mean) / deviation by channel: ${STATISTICS.mean.join(", ")}; ${STATISTICS.deviation.join(", ")}.`
          : "Pixels / 255.",
      ],
    };
  },
};

async function readBatches(
  files: readonly string[],
  folder: DataFolder,
  statistics?: PixelStatistics,
): Promise<Dataset> {
  const batches = [];
  for (const file of files) batches.push(parseCifar(await folder.read(file), file));
  const pixels = new Uint8Array(Buffer.concat(batches.map((batch) => batch.pixels)));
  const labels = new Uint8Array(Buffer.concat(batches.map((batch) => batch.labels)));
  return imagesToDataset(pixels, labels, [3, 32, 32], 10, files.join(", "), statistics);
}
