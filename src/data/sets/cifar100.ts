// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Dataset } from "../../protocol/dataset.ts";
import { type DataSet, fileOptions, sampleOptions } from "../dataSet.ts";
import { parseCifar } from "../formats/cifar.ts";
import { imagesToDataset, type PixelStatistics } from "../images.ts";

const schema = z.strictObject({
  name: z.literal("cifar100"),
  ...fileOptions,
  ...sampleOptions,
  /** The 100 classes, or the 20 superclasses of five each. */
  labels: z.enum(["fine", "coarse"]).default("fine"),
  scale: z.enum(["unit", "standard"]).default("standard"),
});

/** Of the 50 000 training images. */
const STATISTICS: PixelStatistics = { mean: [0.5071, 0.4865, 0.4409], deviation: [0.2673, 0.2564, 0.2762] };

const COARSE =
  `aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices household_furniture insects
  large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores medium_mammals
  non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2`.split(/\s+/);
const FINE =
  `apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle caterpillar cattle
  chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo
  keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter
  palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
  skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip
  turtle wardrobe whale willow_tree wolf woman worm`.split(/\s+/);

/** CIFAR-100 (50 000 + 10 000) in its binary version: two label bytes, coarse and fine, before the pixels of CIFAR-10. */
export const cifar100: DataSet<typeof schema> = {
  schema,
  folder: "cifar100",
  files: {
    "train.bin": "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
    "test.bin": "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
  },
  source: "cifar-100-binary.tar.gz at https://www.cs.toronto.edu/~kriz/cifar.html",
  licence: "none stated; research use",
  citation: "Krizhevsky: Learning multiple layers of features from tiny images, 2009",
  async load({ name, labels, scale }, folder) {
    const statistics = scale === "standard" ? STATISTICS : undefined;
    const classNames = labels === "fine" ? FINE : COARSE;
    const read = async (file: string): Promise<Dataset> => {
      const classes = [COARSE.length, FINE.length];
      const batch = parseCifar(await folder.read(file), file, classes, labels === "fine" ? 1 : 0);
      return imagesToDataset(batch.pixels, batch.labels, [3, 32, 32], classNames.length, file, statistics);
    };
    return {
      name,
      kind: "image",
      shape: [3, 32, 32],
      classNames,
      train: { dataset: await read("train.bin") },
      test: { dataset: await read("test.bin") },
      notes: [
        `Planes red, green, blue; ${labels} labels.`,
        statistics
          ? `(pixel / 255 − mean) / deviation by channel: ${STATISTICS.mean.join(", ")}; ${STATISTICS.deviation.join(", ")}.`
          : "Pixels / 255.",
      ],
    };
  },
};
