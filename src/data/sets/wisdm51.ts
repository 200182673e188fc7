// SPDX-License-Identifier: Apache-2.0

/**
 * WISDM activity recognition: 18 activities of 44 to 50 people, who are the natural clients. Three views: 91 features per 10 s window
 * of the phone's or the watch's accelerometer, or the watch's raw windows of 200 steps and 3 axes.
 */

import { z } from "zod";
import type { Random } from "../../protocol/random.ts";
import { seriesOrder, wholeInOrder } from "../channelsFirst.ts";
import type { DataFolder } from "../dataFolder.ts";
import { type DataSet, fileOptions, sampleOptions, testShare } from "../dataSet.ts";
import { DataError } from "../errors.ts";
import { csvRows } from "../formats/csvRows.ts";
import { arrayOf, parseNpz } from "../formats/npy.ts";
import { type Part, pick, splitByClient, type WholeData } from "../loadedData.ts";
import { parseNumber } from "../readCsv.ts";
import { standardiseDatasets } from "../standardise.ts";

const schema = z.strictObject({
  name: z.literal("wisdm51"),
  ...fileOptions,
  ...sampleOptions,
  view: z.enum(["watch-features", "phone-features", "watch-windows"]).default("watch-features"),
  /** Of raw windows. */
  order: seriesOrder,
  /** `windows`: a share of every user's windows is the test part. `users`: all windows of a share of the users. */
  split: z.enum(["windows", "users"]).default("windows"),
  testShare: testShare.default(0.2),
});

const ACTIVITIES = {
  ...{
    A: "walking",
    B: "jogging",
    C: "stairs",
    D: "sitting",
    E: "standing",
    F: "typing",
    G: "teeth",
    H: "soup",
    I: "chips",
  },
  ...{
    J: "pasta",
    K: "drinking",
    L: "sandwich",
    M: "kicking",
    O: "catch",
    P: "dribbling",
    Q: "writing",
    R: "clapping",
    S: "folding",
  },
};
const LETTERS = Object.keys(ACTIVITIES);
const FEATURES = 91;
const STEPS = 200;
const AXES = 3;
const MAX_BYTES = 2 ** 28;
/** m/s² for one unit of the raw windows, and what they are divided by: about the deviation of acceleration. */
const UNIT = 0.001;
const GRAVITY = 9.80665;

const FEATURE_FILES = {
  "phone-features": "phone_accel_features.csv.gz",
  "watch-features": "watch_accel_features.csv.gz",
};
const WINDOW_FILE = "watch_accel_windows.npz";

export const wisdm51: DataSet<typeof schema> = {
  schema,
  folder: "wisdm51",
  files: {
    "phone_accel_features.csv.gz": "e9abc48d4cc58f13546adddc7dbf64b44b779540dd3713b8dfebd19b9e74867b",
    "watch_accel_features.csv.gz": "4a14851d9f28f73e2e0bc99102aabde234ff446620c4f1da31240ea999108ecb",
    [WINDOW_FILE]: "249d2145e3954ad555739dad47c6d7418119fe93823c4c843774cc621d78badc",
  },
  licence: "UCI, CC BY 4.0 (reported)",
  citation:
    "Weiss, Yoneda, Hayajneh: Smartphone and smartwatch-based biometrics using activities of daily living, IEEE Access 2019",
  naturalClients: "people",
  async load({ name, view, order, split, testShare }, folder, random) {
    const { part, users } =
      view === "watch-windows" ? await readWindows(folder) : await readFeatures(folder, FEATURE_FILES[view]);
    const parts =
      split === "windows" ? splitByClient(part, testShare, random) : splitByUser(part, users.length, testShare, random);
    const scaled =
      view === "watch-windows"
        ? { train: parts.train.dataset, test: parts.test.dataset }
        : standardiseDatasets(parts.train.dataset, parts.test.dataset);
    const data: WholeData = {
      name,
      kind: view === "watch-windows" ? "series" : "table",
      shape: view === "watch-windows" ? [STEPS, AXES] : [FEATURES],
      classNames: Object.values(ACTIVITIES),
      clientNames: users.map(String),
      train: { ...parts.train, dataset: scaled.train },
      test: { ...parts.test, dataset: scaled.test },
      notes: [
        view === "watch-windows"
          ? "Acceleration in units of g (9.80665 m/s²), 10 s at 20 Hz."
          : "Every feature standardised by the training rows and held within ±10.",
        split === "windows"
          ? `A share of ${testShare} of every user's windows, drawn at random by the seed, is the test part.`
          : `All windows of a share of ${testShare} of the users, drawn at random by the seed, are the test part.`,
      ],
    };
    return view === "watch-windows" ? wholeInOrder(data, order) : data;
  },
};

interface Windows {
  readonly part: Part;
  /** User number of each client, ascending. */
  readonly users: readonly number[];
}

async function readFeatures(folder: DataFolder, file: string): Promise<Windows> {
  const [header, ...rows] = csvRows(await folder.readText(file), FEATURES + 2, file);
  if (header?.[0] !== "user" || header[1] !== "activity" || rows.length < 1)
    throw new DataError(
      "BAD_FORMAT",
      `${file} does not begin with a row of the names user, activity, …, followed by data.`,
      { file },
    );
  const features = new Float32Array(rows.length * FEATURES);
  for (const [i, row] of rows.entries())
    for (let k = 0; k < FEATURES; k++)
      features[i * FEATURES + k] = parseNumber(row[k + 2] as string, file, i + 2, k + 3) + 0;
  const letters = rows.map((row) => row[1] as string);
  return windowsOf(
    features,
    letters,
    rows.map((row, i) => parseNumber(row[0] as string, file, i + 2, 1)),
    FEATURES,
    file,
  );
}

async function readWindows(folder: DataFolder): Promise<Windows> {
  const arrays = parseNpz(await folder.read(WINDOW_FILE), WINDOW_FILE, MAX_BYTES);
  const signal = arrayOf(arrays, "X", [-1, STEPS, AXES], WINDOW_FILE);
  const size = signal.shape[0] as number;
  const letters = Array.from(arrayOf(arrays, "activity", [size], WINDOW_FILE).values, (code) =>
    String.fromCharCode(code),
  );
  const users = Array.from(arrayOf(arrays, "user", [size], WINDOW_FILE).values);
  const features = Float32Array.from(signal.values, (value) => (value * UNIT) / GRAVITY);
  return windowsOf(features, letters, users, STEPS * AXES, WINDOW_FILE);
}

function windowsOf(
  features: Float32Array,
  letters: readonly string[],
  userOf: readonly number[],
  inputs: number,
  file: string,
): Windows {
  const labels = Int32Array.from(letters, (letter, i) => {
    const label = LETTERS.indexOf(letter);
    if (label < 0)
      throw new DataError("BAD_ROW", `${file}, window ${i + 1}: there is no activity "${letter}".`, { file, i });
    return label;
  });
  const users = [...new Set(userOf)].sort((a, b) => a - b);
  const index = new Map(users.map((user, client) => [user, client]));
  return {
    part: {
      dataset: { features, labels, inputs, classes: LETTERS.length, size: labels.length },
      clients: userOf.map((user) => index.get(user) as number),
    },
    users,
  };
}

function splitByUser(
  part: Part,
  users: number,
  share: number,
  random: Random,
): { readonly train: Part; readonly test: Part } {
  const count = Math.min(Math.ceil(share * users), users - 1);
  const held = new Set(random.derive("hold out users").permutation(users).slice(0, count));
  const indices = [...part.dataset.labels.keys()];
  const isHeld = (i: number): boolean => held.has(part.clients?.[i] as number);
  return {
    train: pick(
      part,
      indices.filter((i) => !isHeld(i)),
    ),
    test: pick(part, indices.filter(isHeld)),
  };
}
