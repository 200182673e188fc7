// SPDX-License-Identifier: Apache-2.0

/**
 * MIT-BIH arrhythmia beats: 128 samples at 180 Hz around each R mark (index 46), one lead, five AAMI classes. Records are the
 * natural clients.
 */

import { z } from "zod";
import { type DataSet, fileOptions, sampleOptions, testShare } from "../dataSet.ts";
import { DataError } from "../errors.ts";
import { arrayOf, parseNpz } from "../formats/npy.ts";
import { type Part, pick, splitByClient } from "../loadedData.ts";

const schema = z.strictObject({
  name: z.literal("mitbih"),
  ...fileOptions,
  ...sampleOptions,
  /** `patients`: the usual inter-patient split, train on DS1's 22 records, test on DS2's 22. `beats`: a share of each of the 44 records' beats. */
  split: z.enum(["patients", "beats"]).default("patients"),
  /** Only for `beats`. */
  testShare: testShare.default(0.2),
  /** `beat`: each beat to mean 0 and deviation 1. `millivolt`: the signal as measured. */
  scale: z.enum(["beat", "millivolt"]).default("beat"),
  /** Also use the four paced records, which the AAMI protocol leaves out; only for `beats`. */
  paced: z.boolean().default(false),
});

const FILE = "mitbih_beats.npz";
const MAX_BYTES = 2 ** 28;
const SAMPLES = 128;
const UNITS_PER_MILLIVOLT = 200;
const CLASS_NAMES = ["N", "S", "V", "F", "Q"];
const PACED = 0;
const DS1 = 1;
const DS2 = 2;

/** 33 187 beats of 48 records; at most 500 of a class in a record. */
export const mitbih: DataSet<typeof schema> = {
  schema,
  folder: "mitbih",
  files: { [FILE]: "97eb22c59e4e2b77db4fc56ab407dc70dcf42eb0f9e6b14025dfa6de303ea003" },
  licence: "ODC-By 1.0 (reported)",
  citation: "Moody, Mark: The impact of the MIT-BIH arrhythmia database, 2001; Goldberger et al.: PhysioBank, 2000",
  naturalClients: "records (patients, but for 201 and 202, which are one)",
  async load(config, folder, random) {
    const arrays = parseNpz(await folder.read(FILE), FILE, MAX_BYTES);
    const signal = arrayOf(arrays, "X", [-1, SAMPLES], FILE);
    const size = signal.shape[0] as number;
    const column = (name: string): ArrayLike<number> => arrayOf(arrays, name, [size], FILE).values;
    const [labels, records, split] = [column("y"), column("record"), column("split")];
    if (size < 1 || Array.from(labels).some((label) => !(label >= 0 && label < CLASS_NAMES.length)))
      throw new DataError("BAD_FORMAT", `${FILE} has no beats, or labels other than 0 to 4.`, { size });
    const names = [...new Set(Array.from(records))].sort((a, b) => a - b);
    const whole: Part = {
      dataset: {
        features: scaleBeats(signal.values, config.scale),
        labels: Int32Array.from(labels),
        inputs: SAMPLES,
        classes: CLASS_NAMES.length,
        size,
      },
      clients: Array.from(records, (record) => names.indexOf(record)),
    };
    const beatsOf = (...splits: number[]): Part =>
      pick(
        whole,
        [...whole.dataset.labels.keys()].filter((i) => splits.includes(split[i] as number)),
      );
    const { train, test } =
      config.split === "patients"
        ? { train: beatsOf(DS1), test: beatsOf(DS2) }
        : splitByClient(beatsOf(DS1, DS2, ...(config.paced ? [PACED] : [])), config.testShare, random);
    return {
      name: config.name,
      kind: "series",
      shape: [SAMPLES, 1],
      classNames: CLASS_NAMES,
      clientNames: names.map(String),
      train,
      test,
      notes: [
        config.scale === "beat" ? "Each beat scaled to mean 0 and deviation 1." : "Millivolts.",
        config.split === "patients"
          ? "Trained on DS1, tested on DS2, the usual inter-patient split; records 201 (DS1) and 202 (DS2) are one patient."
          : `A share of ${config.testShare} of every record's beats, drawn at random by the seed, is the test part.`,
      ],
    };
  },
};

function scaleBeats(signal: ArrayLike<number>, scale: "beat" | "millivolt"): Float32Array {
  const features = Float32Array.from(signal, (value) => value / UNITS_PER_MILLIVOLT);
  if (scale === "millivolt") return features;
  for (let start = 0; start < features.length; start += SAMPLES) {
    const beat = features.subarray(start, start + SAMPLES);
    const mean = beat.reduce((sum, value) => sum + value, 0) / SAMPLES;
    const variance = beat.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / SAMPLES;
    // A flat line stays 0.
    const factor = variance > 0 ? 1 / Math.sqrt(variance) : 0;
    for (let i = 0; i < SAMPLES; i++) beat[i] = ((beat[i] as number) - mean) * factor + 0;
  }
  return features;
}
