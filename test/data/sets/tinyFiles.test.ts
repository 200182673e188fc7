// SPDX-License-Identifier: Apache-2.0

/** Every loader on a tiny file of its format, so that scaling, labels and clients are checked without the published data. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { bytesOf, folderOf, idx, npy, zip } from "../support/files.ts";
import { breachOf, load } from "../support/load.ts";

const near = (found: ArrayLike<number>, expected: readonly number[]): void => {
  assert.equal(found.length, expected.length);
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs((found[i] as number) - value) < 1e-5, `${i}: ${found[i]} instead of ${value}`);
};

describe("MNIST and Fashion-MNIST", () => {
  /** Pixel p of image i is (p + i) mod 256. */
  const images = (count: number, rows = 28): Buffer =>
    idx(
      [count, rows, 28],
      Array.from({ length: count * rows * 28 }, (_, p) => ((p % 784) + Math.floor(p / 784)) % 256),
    );
  const files = {
    "train-images-idx3-ubyte.gz": gzipSync(images(3)),
    "train-labels-idx1-ubyte": idx([3], [7, 0, 9]),
    "t10k-images-idx3-ubyte": images(2),
    "t10k-labels-idx1-ubyte.gz": gzipSync(idx([2], [1, 2])),
  };

  it("gzipped or not; pixels / 255, standardised, or averaged to 14 × 14", async () => {
    const path = await folderOf(files);
    const unit = await load({ name: "mnist", path, verify: false, scale: "unit" });
    assert.equal(breachOf(unit), undefined);
    assert.deepEqual([...unit.train.labels, ...unit.test.labels], [7, 0, 9, 1, 2]);
    near(unit.train.features.subarray(784, 787), [1 / 255, 2 / 255, 3 / 255]);
    const standard = await load({ name: "fashion-mnist", path, verify: false });
    near(standard.train.features.subarray(0, 2), [-0.286 / 0.353, (1 / 255 - 0.286) / 0.353]);
    const small = await load({ name: "mnist", path, verify: false, scale: "unit", size: 14 });
    assert.deepEqual(small.shape, [1, 14, 14]);
    // Rows 2 and 3, columns 26 and 27 are pixels 82, 83, 110, 111; their mean 96.5 is rounded down. Likewise 0, 1, 28, 29.
    near([small.train.features[14 + 13], small.train.features[0]] as number[], [96 / 255, 14 / 255]);
  });

  it("BAD_FORMAT: other sizes, labels of another count, a label of 10", async () => {
    for (const damage of [
      { "t10k-images-idx3-ubyte": images(2, 27) },
      { "train-labels-idx1-ubyte": idx([2], [7, 0]) },
      { "train-labels-idx1-ubyte": idx([3], [7, 0, 10]) },
    ])
      await assert.rejects(load({ name: "mnist", path: await folderOf({ ...files, ...damage }), verify: false }), {
        code: "BAD_FORMAT",
      });
  });
});

describe("CIFAR-10", () => {
  it("batches in the order given, standardised by channel", async () => {
    const image = (label: number, pixel: number): Buffer =>
      Buffer.concat([Buffer.from([label]), Buffer.alloc(3072, pixel)]);
    const path = await folderOf({ a: image(3, 0), b: Buffer.concat([image(4, 255), image(5, 51)]), c: image(6, 0) });
    const section = { name: "cifar10" as const, path, verify: false, trainFiles: ["b", "a"], testFiles: ["c"] };
    const data = await load(section);
    assert.equal(breachOf(data), undefined);
    assert.deepEqual([...data.train.labels], [4, 5, 3]);
    near(
      [0, 1024, 2048].map((plane) => data.train.features[plane] as number),
      [(1 - 0.4914) / 0.247, (1 - 0.4822) / 0.2435, (1 - 0.4465) / 0.2616],
    );
    near([(await load({ ...section, scale: "unit" })).train.features[3072] as number], [0.2]);
  });
});

describe("small tables", () => {
  const rows = Array.from({ length: 10 }, (_, i) => `${i},1,${2 * i},0.5,${i % 3}`).join("\n");

  it("iris: columns standardised by the training rows; a constant one is 0", async () => {
    const path = await folderOf({ "iris.csv": `10,4,setosa,versicolor,virginica\n${rows}\n` });
    const data = await load({ name: "iris", path, verify: false, testShare: 0.3 });
    assert.equal(breachOf(data), undefined);
    assert.deepEqual([data.train.size, data.test.size], [7, 3]);
    const column = (k: number): number[] =>
      Array.from({ length: 7 }, (_, i) => data.train.features[i * 4 + k] as number);
    const mean = column(0).reduce((sum, x) => sum + x, 0) / 7;
    const variance = column(0).reduce((sum, x) => sum + x * x, 0) / 7;
    near([mean, variance], [0, 1]);
    near(column(2), column(0));
    assert.deepEqual([...column(1), ...column(3)], new Array(14).fill(0));
  });

  it("BAD_FORMAT: the first line contradicts the rows", async () => {
    const path = await folderOf({ "iris.csv": `11,4,setosa,versicolor,virginica\n${rows}\n` });
    await assert.rejects(load({ name: "iris", path, verify: false }), { code: "BAD_FORMAT" });
  });
});

describe("csv of one's own", () => {
  it("a test file, or a share of the rows, keyed by the seed", async () => {
    const lines = Array.from({ length: 10 }, (_, i) => `${i},${i % 2}`).join("\n");
    const path = await folderOf({ "a.csv": lines, "b.csv": "4,1\n" });
    const section = { name: "csv", path, train: "a.csv", inputs: 1, classes: 2, scale: 2 } as const;
    const given = await load({ ...section, test: "b.csv" });
    assert.deepEqual([[...given.train.features], [...given.test.features]], [[0, 2, 4, 6, 8, 10, 12, 14, 16, 18], [8]]);
    const shares = await Promise.all(["s", "s", "t"].map((seed) => load(section, ".", seed)));
    assert.deepEqual(shares[0], shares[1]);
    assert.notDeepEqual(shares[0], shares[2]);
    assert.equal(shares[0]?.test.size, 2);
  });
});

describe("heart disease", () => {
  const files = {
    "processed.cleveland.data": "60,1,4,140,200,0,0,150,0,2,1,0,3,0\n40,0,1,120,300,1,2,170,1,0,3,1,7,3\n",
    "processed.hungarian.data": "50,1,2,130,?,0,1,160,0,1,?,?,?,1\n50,1,2,130,250,0,1,160,0,1,2,?,6,0\n",
    "processed.switzerland.data": "50,1,3,0,0,?,?,?,?,?,?,?,?,1\n50,1,3,130,250,0,1,160,0,1,2,?,6,1\n",
    "processed.va.data": "50,1,3,130,250,0,1,160,0,1,2,?,6,4\n50,1,3,130,250,0,1,160,0,1,2,?,6,0\n",
  };

  it("four clients; codes one-hot; what is missing is the mean and has an indicator", async () => {
    const path = await folderOf(files);
    const data = await load({ name: "heart-disease", path, verify: false, testShare: 0.5 });
    assert.equal(breachOf(data), undefined);
    assert.deepEqual(
      [data.clients, data.testClients],
      [
        [0, 1, 2, 3],
        [0, 1, 2, 3],
      ],
    );
    const rows = [data.train, data.test].flatMap(({ features, labels }) =>
      Array.from(labels, (label, i) => ({ label, row: [...features.subarray(i * 32, (i + 1) * 32)] })),
    );
    // The Swiss patient of whom little is known: every number but age and sex is the mean, no code but cp = 3, all indicators.
    const swiss = rows.find(({ row }) => row.slice(22).every((indicator) => indicator === 1));
    assert.deepEqual(swiss?.row.slice(2, 9), new Array(7).fill(0));
    assert.deepEqual(swiss?.row.slice(9, 22), [0, 0, 1, 0, ...new Array(9).fill(0)]);
    assert.equal(swiss?.label, 1);
    const complete = rows.filter(({ row }) => row.slice(22).every((indicator) => indicator === 0));
    assert.deepEqual(complete.map(({ row }) => row.slice(9, 22).join("")).sort(), [
      "0001" + "100" + "100" + "100",
      "1000" + "001" + "001" + "001",
    ]);
    const five = await load({ name: "heart-disease", path, verify: false, testShare: 0.5, classes: 5 });
    assert.deepEqual([...five.train.labels, ...five.test.labels].sort(), [0, 0, 0, 1, 1, 1, 3, 4]);
  });

  it("BAD_ROW: a column too few, a word, a diagnosis of 5", async () => {
    for (const row of ["60,1,4\n", "60,1,4,many,200,0,0,150,0,2,1,0,3,0\n", "60,1,4,140,200,0,0,150,0,2,1,0,3,5\n"])
      await assert.rejects(
        load({ name: "heart-disease", path: await folderOf({ ...files, "processed.va.data": row }), verify: false }),
        { code: "BAD_ROW" },
      );
  });
});

describe("NSL-KDD", () => {
  const row = (protocol: string, service: string, flag: string, bytes: number, attack: string): string =>
    ["0", protocol, service, flag, bytes, ...new Array(36).fill("0"), attack, "20"].join(",");
  const train = [
    row("tcp", "http", "SF", 0, "normal"),
    row("udp", "dns", "SF", 99, "smurf"),
    row("tcp", "ftp", "S0", 0, "perl"),
  ];

  it("counts by logarithm, codes of the training values, families, clients over both files", async () => {
    const path = await folderOf({
      "KDDTrain+_20Percent.txt.gz": gzipSync(`${train.join("\n")}\n`),
      "KDDTest+.txt": [row("icmp", "http", "SF", 9, "worm"), row("tcp", "ssh", "S0", 9, "saint")].join("\n"),
    });
    const data = await load({ name: "nsl-kdd", path, verify: false, classes: 5 });
    assert.equal(breachOf(data), undefined);
    // 38 numbers, then protocol tcp udp, service dns ftp http, flag S0 SF.
    assert.deepEqual(data.shape, [38 + 2 + 3 + 2]);
    const codes = (features: Float32Array, i: number): string =>
      [...features.subarray(i * 45 + 38, (i + 1) * 45)].join("");
    assert.deepEqual(
      [0, 1, 2].map((i) => codes(data.train.features, i)),
      ["1000101", "0110001", "1001010"],
    );
    // icmp and ssh are new.
    assert.deepEqual(
      [0, 1].map((i) => codes(data.test.features, i)),
      ["0000101", "1000010"],
    );
    assert.deepEqual(
      [[...data.train.labels], [...data.test.labels]],
      [
        [0, 1, 4],
        [3, 2],
      ],
    );
    // src_bytes: log 1, log 100, log 1 have mean log(100)/3 and deviation log(100)·√2/3; the test's log 10 is 1/2 of log 100.
    near(
      [0, 45, 90].map((at) => data.train.features[at + 1] as number),
      [-Math.SQRT1_2, Math.SQRT2, -Math.SQRT1_2],
    );
    near([data.test.features[1] as number], [(1 / 2 - 1 / 3) / (Math.SQRT2 / 3)]);
    assert.deepEqual(
      [data.clientNames, data.clients, data.testClients],
      [
        ["icmp", "tcp", "udp"],
        [1, 2, 1],
        [0, 1],
      ],
    );
    const services = await load({ name: "nsl-kdd", path, verify: false, clients: "service" });
    assert.deepEqual(services.clientNames, ["dns", "ftp", "http", "ssh"]);
    assert.deepEqual([...services.train.labels], [0, 1, 1]);
  });

  it("BAD_ROW: an unknown attack, a negative number", async () => {
    for (const bad of [row("tcp", "http", "SF", 0, "nothing"), row("tcp", "http", "SF", -1, "normal")])
      await assert.rejects(
        load({
          name: "nsl-kdd",
          path: await folderOf({ "KDDTrain+_20Percent.txt": bad, "KDDTest+.txt": train.join("\n") }),
          verify: false,
        }),
        { code: "BAD_ROW" },
      );
  });
});

describe("MIT-BIH", () => {
  /** Six beats: two of DS1's record 101, one of 106, two of DS2's 100, one of the paced 102. Beat i is 200·(sample + i). */
  const archive = (labels = [0, 2, 0, 1, 0, 4]): Buffer =>
    zip([
      {
        name: "X.npy",
        data: npy(
          "<i2",
          [6, 128],
          bytesOf(Int16Array.from({ length: 768 }, (_, p) => 200 * ((p % 128) + Math.floor(p / 128)))),
        ),
      },
      { name: "y.npy", data: npy("|u1", [6], Uint8Array.from(labels)) },
      { name: "record.npy", data: npy("<u2", [6], bytesOf(Uint16Array.of(101, 101, 106, 100, 100, 102))) },
      { name: "split.npy", data: npy("|u1", [6], Uint8Array.of(1, 1, 1, 2, 2, 0)) },
    ]);

  it("patients: DS1 and DS2, records as clients, millivolts or each beat scaled", async () => {
    const path = await folderOf({ "mitbih_beats.npz": archive() });
    const data = await load({ name: "mitbih", path, verify: false, scale: "millivolt" });
    assert.equal(breachOf(data), undefined);
    assert.deepEqual(
      [[...data.train.labels], [...data.test.labels]],
      [
        [0, 2, 0],
        [1, 0],
      ],
    );
    assert.deepEqual(
      [data.clientNames, data.clients, data.testClients],
      [
        ["100", "101", "102", "106"],
        [1, 1, 3],
        [0, 0],
      ],
    );
    assert.deepEqual([...data.test.features.subarray(0, 3)], [3, 4, 5]);
    const scaled = await load({ name: "mitbih", path, verify: false });
    // 0 … 127 has mean 63.5 and variance (128² − 1)/12.
    near(
      [scaled.train.features[0], scaled.train.features[255]] as number[],
      [-63.5, 63.5].map((x) => x / Math.sqrt(16383 / 12)),
    );
  });

  it("beats: a share of every record, the paced one only if asked for; a record's last beat stays for training", async () => {
    const path = await folderOf({ "mitbih_beats.npz": archive() });
    const usual = await load({ name: "mitbih", path, verify: false, split: "beats", testShare: 0.5 });
    assert.deepEqual(
      [usual.clients, usual.testClients],
      [
        [1, 3, 0],
        [1, 0],
      ],
    );
    const paced = await load({ name: "mitbih", path, verify: false, split: "beats", testShare: 0.5, paced: true });
    assert.deepEqual(paced.clients, [1, 3, 0, 2]);
  });

  it("BAD_FORMAT: a label of 5, another shape, an array missing", async () => {
    const bare = zip([{ name: "X.npy", data: npy("<i2", [0, 128], Buffer.alloc(0)) }]);
    for (const damaged of [archive([0, 0, 0, 0, 0, 5]), archive([0]), bare])
      await assert.rejects(
        load({ name: "mitbih", path: await folderOf({ "mitbih_beats.npz": damaged }), verify: false }),
        {
          code: "BAD_FORMAT",
        },
      );
  });
});

describe("WISDM", () => {
  const header = ["user", "activity", ...Array.from({ length: 91 }, (_, k) => `f${k}`)].join(",");
  const line = (user: number, letter: string, value: number): string =>
    [user, letter, ...new Array(91).fill(value)].join(",");
  const rows = [1601, 1600, 1601, 1600, 1603, 1603].map((user, i) => line(user, "ABO"[i % 3] as string, i));
  const files = { "watch_accel_features.csv": [header, ...rows, ""].join("\n") };

  it("features: people as clients, activities without N; held out by window or by person", async () => {
    const path = await folderOf(files);
    const windows = await load({ name: "wisdm51", path, verify: false, testShare: 0.5 });
    assert.equal(breachOf(windows), undefined);
    assert.deepEqual(windows.clientNames, ["1600", "1601", "1603"]);
    assert.deepEqual(
      [windows.clients?.toSorted(), windows.testClients?.toSorted()],
      [
        [0, 1, 2],
        [0, 1, 2],
      ],
    );
    assert.deepEqual([...windows.train.labels, ...windows.test.labels].sort(), [0, 0, 1, 1, 13, 13].sort());
    assert.equal(windows.classNames[13], "catch");
    const users = await load({ name: "wisdm51", path, verify: false, split: "users", testShare: 0.3 });
    assert.equal(users.test.size, 2);
    assert.equal(new Set(users.testClients).size, 1);
    assert.equal(users.clients?.includes(users.testClients?.[0] as number), false);
  });

  it("windows: acceleration in g, step by step", async () => {
    const signal = Int16Array.from({ length: 2 * 600 }, (_, p) => (p % 3) * 9807);
    const path = await folderOf({
      "watch_accel_windows.npz": zip([
        { name: "X.npy", data: npy("<i2", [2, 200, 3], bytesOf(signal)) },
        { name: "activity.npy", data: npy("|u1", [2], Buffer.from("AS")) },
        { name: "user.npy", data: npy("<u2", [2], bytesOf(Uint16Array.of(1600, 1650))) },
      ]),
    });
    const data = await load({
      name: "wisdm51",
      path,
      verify: false,
      view: "watch-windows",
      split: "users",
      testShare: 0.5,
    });
    assert.equal(breachOf(data), undefined);
    assert.deepEqual([data.kind, data.shape], ["series", [200, 3]]);
    assert.deepEqual([...data.train.labels, ...data.test.labels].sort(), [0, 17]);
    assert.ok(Math.abs((data.train.features[1] as number) - 1) < 1e-4);
  });

  it("BAD_ROW and BAD_FORMAT: activity N, a word, no header", async () => {
    for (const [text, code] of [
      [[header, line(1600, "N", 1)].join("\n"), "BAD_ROW"],
      [[header, line(1600, "A", 1).replace(",1,", ",x,")].join("\n"), "BAD_ROW"],
      [rows.join("\n"), "BAD_FORMAT"],
    ] as const)
      await assert.rejects(
        load({ name: "wisdm51", path: await folderOf({ "watch_accel_features.csv": text }), verify: false }),
        { code },
      );
  });
});

describe("AG News", () => {
  const files = {
    "train_20k.csv":
      '"3","Stocks up","Stocks  rise; the world #39;s &lt;b&gt;best&lt;/b&gt;\n"\n"1","The world","the ""talks"""\n',
    "test.csv": '"4","New stocks","of the \\$5 world today and today"\n',
  };

  it("the most frequent words by count, then alphabet; 1 for others; padded and cut", async () => {
    const path = await folderOf(files);
    const data = await load({ name: "ag-news", path, verify: false, vocabulary: 6, length: 6 });
    assert.equal(breachOf(data), undefined);
    // Counts: the 3, stocks 2, then best, rise, talks, up, world, world's 1 each: ids the 2, stocks 3, best 4, rise 5.
    assert.deepEqual(
      [0, 1].map((i) => [...data.train.features.subarray(6 * i, 6 * i + 6)]),
      [
        [3, 1, 3, 5, 2, 1],
        [2, 1, 2, 1, 0, 0],
      ],
    );
    assert.deepEqual([...data.test.features], [1, 3, 1, 2, 1, 1]);
    assert.deepEqual([[...data.train.labels], [...data.test.labels], data.vocabulary], [[2, 0], [3], 6]);
  });

  it("BAD_ROW: class 5", async () => {
    const path = await folderOf({ ...files, "test.csv": '"5","a","b"\n' });
    await assert.rejects(load({ name: "ag-news", path, verify: false }), { code: "BAD_ROW" });
  });
});

describe("Shakespeare", () => {
  const role = (user: string, ...turns: string[]): string => JSON.stringify({ user, num_turns: turns.length, turns });
  const section = {
    name: "shakespeare",
    verify: false,
    length: 3,
    stride: 2,
    minCharacters: 10,
    testShare: 0.5,
  } as const;

  it("windows and the character after them; the end of each role is for testing; short roles are left out", async () => {
    const path = await folderOf({ "roles.jsonl": [role("A", "abcab", "cabca"), role("B", "abc"), ""].join("\n") });
    const data = await load({ ...section, path });
    assert.equal(breachOf(data), undefined);
    // Line feed 0, a 1, b 2, c 3. The text abcab⏎cabca is cut after 5: abc then a; ⏎ca then b and abc then a.
    assert.deepEqual([[...data.train.features], [...data.train.labels]], [[1, 2, 3], [1]]);
    assert.deepEqual(
      [[...data.test.features], [...data.test.labels]],
      [
        [0, 3, 1, 1, 2, 3],
        [2, 1],
      ],
    );
    assert.deepEqual([data.clientNames, data.clients, data.testClients], [["A"], [0], [0, 0]]);
  });

  it("BAD_ROW: not JSON, no turns; CANNOT_DEAL: only short roles", async () => {
    for (const [line, code] of [
      ["{", "BAD_ROW"],
      ['{"user":"A"}', "BAD_ROW"],
      [role("A", "abc"), "CANNOT_DEAL"],
    ] as const)
      await assert.rejects(load({ ...section, path: await folderOf({ "roles.jsonl": line }) }), { code });
  });
});
