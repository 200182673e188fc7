// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Dataset } from "../../protocol/dataset.ts";
import type { DataFolder } from "../dataFolder.ts";
import { type DataSet, fileOptions, sampleOptions } from "../dataSet.ts";
import { DataError } from "../errors.ts";
import { type MatArray, parseMat } from "../formats/mat5.ts";
import { imagesToDataset, type PixelStatistics } from "../images.ts";

const schema = z.strictObject({
  name: z.literal("svhn"),
  ...fileOptions,
  ...sampleOptions,
  scale: z.enum(["unit", "standard"]).default("standard"),
});

/** Of the 73 257 training images. */
const STATISTICS: PixelStatistics = { mean: [0.4377, 0.4438, 0.4728], deviation: [0.198, 0.201, 0.197] };
const DIGITS = Array.from({ length: 10 }, (_, digit) => String(digit));
const SIDE = 32;
const PLANE = SIDE * SIDE;
const CHANNELS = 3;
/** The training file unpacks to 225 MB. */
const MAX_BYTES = 2 ** 28;

/** SVHN, cropped digits (73 257 + 26 032), in its two MAT-files; the 531 131 extra images are more than is read. */
export const svhn: DataSet<typeof schema> = {
  schema,
  folder: "svhn",
  files: {
    "train_32x32.mat": "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
    "test_32x32.mat": "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
  },
  source: "http://ufldl.stanford.edu/housenumbers/",
  licence: "non-commercial use only (stated upstream)",
  citation: "Netzer et al.: Reading digits in natural images with unsupervised feature learning, 2011",
  async load({ name, scale }, folder) {
    const statistics = scale === "standard" ? STATISTICS : undefined;
    return {
      name,
      kind: "image",
      shape: [CHANNELS, SIDE, SIDE],
      classNames: DIGITS,
      train: { dataset: await readDigits("train_32x32.mat", folder, statistics) },
      test: { dataset: await readDigits("test_32x32.mat", folder, statistics) },
      notes: [
        "Planes red, green, blue; the files' label 10 is digit 0.",
        statistics
          ? `(pixel / 255 − mean) / deviation by channel: ${STATISTICS.mean.join(", ")}; ${STATISTICS.deviation.join(", ")}.`
          : "Pixels / 255.",
      ],
    };
  },
};

async function readDigits(file: string, folder: DataFolder, statistics?: PixelStatistics): Promise<Dataset> {
  const arrays = parseMat(await folder.read(file), file, MAX_BYTES);
  const [images, digits] = [arrays.get("X"), arrays.get("y")];
  if (images === undefined || digits === undefined)
    throw new DataError("BAD_FORMAT", `${file} has no arrays X and y. Fetch it again.`, { names: [...arrays.keys()] });
  // MATLAB drops the last dimension where it is 1.
  const [height, width, channels, count = 1, ...more] = images.shape;
  const shaped = height === SIDE && width === SIDE && channels === CHANNELS && more.length === 0;
  if (!shaped || !(images.values instanceof Uint8Array) || digits.shape.join() !== `${count},1`)
    throw new DataError(
      "BAD_FORMAT",
      `${file} has ${images.shape.join(" × ")} pixels for ${digits.shape.join(" × ")} labels; expected bytes of 32 × 32 × 3 × n, and n × 1.`,
      { images: images.shape, labels: digits.shape },
    );
  return imagesToDataset(rowMajor(images.values), labelsOf(digits, file), [CHANNELS, SIDE, SIDE], 10, file, statistics);
}

function labelsOf({ values }: MatArray, file: string): Uint8Array {
  const wrong = values.findIndex((label) => !(Number.isInteger(label) && label >= 1 && label <= 10));
  if (wrong >= 0)
    throw new DataError(
      "BAD_FORMAT",
      `${file}: image ${wrong} has label ${values[wrong]}; labels are 1 to 10, which is 0.`,
      {
        file,
        wrong,
      },
    );
  return Uint8Array.from(values, (label) => label % 10);
}

/** MATLAB's first index, the row, runs fastest. */
function rowMajor(pixels: Uint8Array): Uint8Array {
  const turned = new Uint8Array(pixels.length);
  for (let plane = 0; plane < pixels.length; plane += PLANE)
    for (let row = 0; row < SIDE; row++)
      for (let column = 0; column < SIDE; column++)
        turned[plane + row * SIDE + column] = pixels[plane + column * SIDE + row] as number;
  return turned;
}
