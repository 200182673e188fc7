// SPDX-License-Identifier: Apache-2.0

/** FEMNIST as LEAF's own scripts write it: handwritten digits and letters by writer, in JSON files of up to a hundred writers each. */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { DataFolder } from "../dataFolder.ts";
import { type DataSet, fileOptions, sampleOptions } from "../dataSet.ts";
import { DataError } from "../errors.ts";
import { type LeafUser, parseLeafImages } from "../formats/leafJson.ts";
import { imagesToDataset, type PixelStatistics } from "../images.ts";
import type { Part } from "../loadedData.ts";
import { readBounded } from "../readBounded.ts";

const schema = z.strictObject({
  name: z.literal("femnist"),
  path: fileOptions.path,
  /** Everybody makes these files anew, by chance, so that none has a published digest. */
  verify: z.literal(false).default(false),
  ...sampleOptions,
  /** `unit`: pixels / 255, white paper 1. `standard`: then mean 0 and deviation 1 over all training pixels. */
  scale: z.enum(["unit", "standard"]).default("standard"),
});

const SIDE = 28;
const INPUTS = SIDE * SIDE;
const CLASS_NAMES = [..."0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"];
const SOURCE = "made by data/femnist/preprocess.sh of https://github.com/TalwalkarLab/leaf";
/** A file of a hundred writers is some 130 MB; files are read one at a time. */
const MAX_FILE_BYTES = 2 ** 28;
const MAX_FILES = 4096;
/** Of each part, 3.3 GB as features. The whole of FEMNIST is 805 263. */
const MAX_SAMPLES = 2 ** 20;

/** 3 550 writers, 805 263 images, or the share of them that was sampled. Split by sample or by writer, as LEAF was told (`-t`). */
export const femnist: DataSet<typeof schema> = {
  schema,
  folder: "femnist",
  files: {},
  source: SOURCE,
  licence: "NIST Special Database 19 (US government); LEAF BSD-2-Clause",
  citation: "Caldas et al.: LEAF, arXiv:1812.01097; Cohen et al.: EMNIST, arXiv:1702.05373",
  naturalClients: "writers",
  async load({ name, scale }, folder) {
    const writers = new Map<string, number>();
    const [train, test] = [await readPart("train", folder, writers), await readPart("test", folder, writers)];
    const statistics = pixelStatistics(train.pixels);
    const partOf = ({ pixels, labels, clients }: Images, file: string): Part => ({
      dataset: imagesToDataset(
        pixels,
        labels,
        [1, SIDE, SIDE],
        CLASS_NAMES.length,
        file,
        scale === "standard" ? statistics : undefined,
      ),
      clients,
    });
    const [mean, deviation] = [statistics.mean, statistics.deviation].map(([value]) => (value as number).toFixed(4));
    return {
      name,
      kind: "image",
      shape: [1, SIDE, SIDE],
      classNames: CLASS_NAMES,
      clientNames: [...writers.keys()],
      train: partOf(train, "train"),
      test: partOf(test, "test"),
      notes: [
        "28 × 28 pixels, white paper 1; training and test part as LEAF wrote them.",
        scale === "unit" ? "Pixels / 255." : `(pixel / 255 − ${mean}) / ${deviation}, of the training pixels.`,
      ],
    };
  },
};

interface Images {
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
  readonly clients: readonly number[];
}

/** @param writers index of each writer by name, which new ones are added to. */
async function readPart(part: string, folder: DataFolder, writers: Map<string, number>): Promise<Images> {
  const found: LeafUser[] = [];
  const seen = new Set<string>();
  let samples = 0;
  for (const file of await jsonFiles(join(folder.path, part))) {
    for (const own of await readUsers(file)) {
      if (seen.has(own.user))
        throw new DataError(
          "BAD_ROW",
          `Writer ${own.user} is in ${file} and in another file. Is one left over from another sampling?`,
          { file },
        );
      seen.add(own.user);
      if (!writers.has(own.user)) writers.set(own.user, writers.size);
      found.push(own);
      samples += own.labels.length;
    }
    if (samples > MAX_SAMPLES)
      throw new DataError(
        "TOO_LARGE",
        `${folder.path} has more than ${MAX_SAMPLES} samples. Let LEAF take a smaller share (--sf).`,
        { part },
      );
  }
  return {
    pixels: Buffer.concat(found.map(({ pixels }) => pixels)),
    labels: Buffer.concat(found.map(({ labels }) => labels)),
    clients: found.flatMap(({ user, labels }) => new Array<number>(labels.length).fill(writers.get(user) as number)),
  };
}

async function readUsers(file: string): Promise<readonly LeafUser[]> {
  const bytes = await readBounded(
    file,
    MAX_FILE_BYTES,
    (size) =>
      new DataError(
        "TOO_LARGE",
        `${file} has ${size} bytes; at most ${MAX_FILE_BYTES} are read. Let LEAF take a smaller share (--sf).`,
        {
          file,
          size,
        },
      ),
  );
  return parseLeafImages(bytes.toString("utf8"), file, INPUTS, CLASS_NAMES.length);
}

/** Paths by name, so that writers have the same numbers everywhere. */
async function jsonFiles(path: string): Promise<string[]> {
  let names: string[];
  try {
    names = (await readdir(path)).filter((name) => name.endsWith(".json")).sort();
  } catch (cause) {
    names = [];
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT")
      throw new DataError(
        "UNREADABLE",
        `${path} cannot be read: ${(cause as Error).message}. Check its permissions.`,
        { path },
        cause,
      );
  }
  if (names.length === 0)
    throw new DataError(
      "MISSING_FILE",
      `${path} has no JSON files. They are ${SOURCE} (-t sample or -t user). Put its folders train and test there, or pass the folder ` +
        "that holds the data sets with --data DIR.",
      { path },
    );
  if (names.length > MAX_FILES)
    throw new DataError("TOO_LARGE", `${path} has ${names.length} JSON files; at most ${MAX_FILES} are read.`, {
      path,
    });
  return names.map((name) => join(path, name));
}

function pixelStatistics(pixels: Uint8Array): PixelStatistics {
  const counts = new Float64Array(256);
  for (const byte of pixels) counts[byte] = (counts[byte] as number) + 1;
  const average = (of: (byte: number) => number): number =>
    counts.reduce((sum, count, byte) => sum + count * of(byte), 0) / Math.max(1, pixels.length);
  const mean = average((byte) => byte) / 255;
  const variance = average((byte) => (byte / 255 - mean) * (byte / 255 - mean));
  // Blank pages have no deviation.
  return { mean: [mean], deviation: [variance > 1e-12 ? Math.sqrt(variance) : 1] };
}
