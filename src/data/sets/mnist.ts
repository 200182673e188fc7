// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Dataset } from "../../protocol/dataset.ts";
import type { DataFolder } from "../dataFolder.ts";
import { type DataSet, fileOptions, sampleOptions } from "../dataSet.ts";
import { DataError } from "../errors.ts";
import { parseIdx } from "../formats/idx.ts";
import { halve, imagesToDataset, type PixelStatistics } from "../images.ts";
import type { WholeData } from "../loadedData.ts";

const options = {
  ...fileOptions,
  ...sampleOptions,
  /** 14 averages blocks of 2 × 2 pixels. */
  size: z.literal([28, 14]).default(28),
  /** `unit`: pixels / 255. `standard`: then (x − mean) / deviation of all training pixels, as published. */
  scale: z.enum(["unit", "standard"]).default("standard"),
};

const mnistSchema = z.strictObject({ name: z.literal("mnist"), ...options });
const fashionSchema = z.strictObject({ name: z.literal("fashion-mnist"), ...options });

const DIGITS = Array.from({ length: 10 }, (_, digit) => String(digit));
const GARMENTS = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];
const SIDE = 28;

/** MNIST handwritten digits (60 000 + 10 000), in its four IDX files. */
export const mnist: DataSet<typeof mnistSchema> = {
  schema: mnistSchema,
  folder: "mnist",
  files: {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
  },
  licence: "CC BY-SA 3.0 (reported)",
  citation: "LeCun, Cortes, Burges: The MNIST database of handwritten digits, 1998",
  load: (config, folder) => loadIdxImages(config, folder, DIGITS, { mean: [0.1307], deviation: [0.3081] }),
};

/** Fashion-MNIST articles of clothing (60 000 + 10 000), in the format of MNIST. */
export const fashionMnist: DataSet<typeof fashionSchema> = {
  schema: fashionSchema,
  folder: "fashion_mnist",
  files: {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
  },
  licence: "MIT",
  citation: "Xiao, Rasul, Vollgraf: Fashion-MNIST, arXiv:1708.07747",
  load: (config, folder) => loadIdxImages(config, folder, GARMENTS, { mean: [0.286], deviation: [0.353] }),
};

type Config = z.output<typeof mnistSchema> | z.output<typeof fashionSchema>;

async function loadIdxImages(
  { name, size, scale }: Config,
  folder: DataFolder,
  classNames: readonly string[],
  statistics: PixelStatistics,
): Promise<WholeData> {
  const read = async (part: string): Promise<Dataset> => {
    const imageFile = `${part}-images-idx3-ubyte.gz`;
    const images = parseIdx(await folder.read(imageFile), imageFile);
    const labels = parseIdx(await folder.read(`${part}-labels-idx1-ubyte.gz`), `${part}-labels-idx1-ubyte.gz`);
    const [count, height, width] = images.shape;
    if (
      images.shape.length !== 3 ||
      height !== SIDE ||
      width !== SIDE ||
      labels.shape.length !== 1 ||
      labels.shape[0] !== count
    )
      throw new DataError(
        "BAD_FORMAT",
        `${imageFile} has shape ${images.shape.join(" × ")} for ${labels.shape.join(" × ")} labels; expected n × 28 × 28 and n.`,
        { images: images.shape, labels: labels.shape },
      );
    const pixels = size === SIDE ? images.values : halve(images.values, SIDE, SIDE);
    return imagesToDataset(
      pixels,
      labels.values,
      [1, size, size],
      10,
      imageFile,
      scale === "standard" ? statistics : undefined,
    );
  };
  return {
    name,
    kind: "image",
    shape: [1, size, size],
    classNames,
    train: { dataset: await read("train") },
    test: { dataset: await read("t10k") },
    notes: [
      size === SIDE ? "28 × 28 pixels." : "28 × 28 pixels averaged to 14 × 14 (bytes, rounded down).",
      scale === "unit"
        ? "Pixels / 255."
        : `(pixel / 255 − ${statistics.mean[0]}) / ${statistics.deviation[0]}, the mean and deviation of the 28 × 28 training pixels.`,
    ],
  };
}
