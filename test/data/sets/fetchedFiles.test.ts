// SPDX-License-Identifier: Apache-2.0

/** The sets that everybody fetches or makes anew: CIFAR-100, SVHN and FEMNIST, on tiny files of their formats. */

import assert from "node:assert/strict";
import { mkdir, mkdtemp, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { bytesOf, folderOf, type MatVariable, mat } from "../support/files.ts";
import { breachOf, load } from "../support/load.ts";

const near = (found: ArrayLike<number>, expected: readonly number[]): void => {
  assert.equal(found.length, expected.length);
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs((found[i] as number) - value) < 1e-5, `${i}: ${found[i]} instead of ${value}`);
};

describe("CIFAR-100", () => {
  const image = (coarse: number, fine: number, pixel: number): Buffer =>
    Buffer.concat([Buffer.from([coarse, fine]), Buffer.alloc(3072, pixel)]);
  const files = { "train.bin": Buffer.concat([image(19, 99, 255), image(0, 4, 51)]), "test.bin": image(14, 98, 0) };

  it("fine or coarse labels, their names, planes standardised by channel", async () => {
    const path = await folderOf(files);
    const fine = await load({ name: "cifar100", path, verify: false });
    assert.equal(breachOf(fine), undefined);
    assert.deepEqual([fine.shape, fine.classNames.length, new Set(fine.classNames).size], [[3, 32, 32], 100, 100]);
    const namesOf = ({ train, test, classNames }: typeof fine) =>
      [...train.labels, ...test.labels].map((label) => classNames[label]);
    assert.deepEqual(namesOf(fine), ["worm", "beaver", "woman"]);
    near(
      [0, 1024, 2048].map((plane) => fine.train.features[plane] as number),
      [(1 - 0.5071) / 0.2673, (1 - 0.4865) / 0.2564, (1 - 0.4409) / 0.2762],
    );
    const coarse = await load({ name: "cifar100", path, verify: false, labels: "coarse", scale: "unit" });
    assert.equal(breachOf(coarse), undefined);
    assert.equal(new Set(coarse.classNames).size, 20);
    assert.deepEqual(namesOf(coarse), ["vehicles_2", "aquatic_mammals", "people"]);
    near([coarse.train.features[3072] as number], [0.2]);
  });

  it("BAD_FORMAT: images of CIFAR-10, a fine label of 100, a coarse one of 20", async () => {
    for (const damaged of [files["train.bin"].subarray(0, 2 * 3073), image(0, 100, 0), image(20, 0, 0)])
      for (const labels of ["fine", "coarse"] as const)
        await assert.rejects(
          load({ name: "cifar100", path: await folderOf({ ...files, "train.bin": damaged }), verify: false, labels }),
          { code: "BAD_FORMAT", message: /train\.bin/ },
        );
  });

  it("WRONG_DIGEST, and MISSING_FILE with the place to fetch it from", async () => {
    await assert.rejects(load({ name: "cifar100", path: await folderOf(files) }), { code: "WRONG_DIGEST" });
    await assert.rejects(load({ name: "cifar100", path: await folderOf({}) }), {
      code: "MISSING_FILE",
      message: /train\.bin .*cifar-100-binary\.tar\.gz at https:/,
    });
  });
});

describe("SVHN", () => {
  /** Column-major: pixel (row, column) of channel c of image i is row + 2·column + 50·c + i. */
  const pixels = (count: number): Uint8Array =>
    Uint8Array.from({ length: count * 3072 }, (_, p) => {
      const [row, column, channel, image] = [
        p % 32,
        Math.floor(p / 32) % 32,
        Math.floor(p / 1024) % 3,
        Math.floor(p / 3072),
      ];
      return row + 2 * column + 50 * channel + image;
    });
  const X = (count: number, shape = count === 1 ? [32, 32, 3] : [32, 32, 3, count]): MatVariable => ({
    name: "X",
    shape,
    data: pixels(count),
  });
  const y = (...labels: number[]): MatVariable => ({
    name: "y",
    shape: [labels.length, 1],
    data: Uint8Array.from(labels),
  });
  const doubles: MatVariable = { name: "y", shape: [1, 1], type: 9, kind: 6, data: bytesOf(Float64Array.of(10)) };
  const folder = (train: Uint8Array, test: Uint8Array = mat(X(1), doubles)): Promise<string> =>
    folderOf({ "train_32x32.mat": train, "test_32x32.mat": test });

  it("rows and columns in their place, label 10 is digit 0, one image alone, labels as doubles", async () => {
    const path = await folder(mat(X(3), y(1, 10, 9)));
    const data = await load({ name: "svhn", path, verify: false, scale: "unit" });
    assert.equal(breachOf(data), undefined);
    assert.deepEqual([[...data.train.labels], [...data.test.labels]], [[1, 0, 9], [0]]);
    // Row 1, column 3 of the blue plane of image 2.
    near([data.train.features[2 * 3072 + 2 * 1024 + 32 + 3] as number], [(1 + 2 * 3 + 50 * 2 + 2) / 255]);
    const standard = await load({ name: "svhn", path, verify: false });
    near(
      [0, 1024, 2048].map((plane) => standard.train.features[plane] as number),
      [(0 - 0.4377) / 0.198, (50 / 255 - 0.4438) / 0.201, (100 / 255 - 0.4728) / 0.197],
    );
  });

  it("BAD_FORMAT: labels 0, 11, 1.5 or of another count, other shapes, 16-bit pixels, no array y, no MAT-file", async () => {
    const wide: MatVariable = { name: "X", shape: [32, 32, 3], type: 4, kind: 11, data: Buffer.alloc(2 * 3072) };
    for (const train of [
      mat(X(1), y(0)),
      mat(X(1), y(11)),
      mat(X(1), { ...doubles, data: bytesOf(Float64Array.of(1.5)) }),
      mat(X(2), y(1)),
      mat(X(2), { ...y(1, 2), shape: [1, 2] }),
      mat(X(2, [2, 3, 32, 32]), y(1, 2)),
      mat(X(1, [32, 32, 3, 1, 1]), y(1)),
      mat(wide, y(1)),
      mat(X(1)),
      mat({ ...X(1), shape: [32, 32, 3, 0], data: new Uint8Array() }, { ...y(), data: new Uint8Array() }),
      Buffer.alloc(500),
    ])
      await assert.rejects(load({ name: "svhn", path: await folder(train), verify: false }), { code: "BAD_FORMAT" });
  });

  it("MISSING_FILE: with the place to fetch it from", async () => {
    await assert.rejects(load({ name: "svhn", path: await folderOf({}) }), {
      code: "MISSING_FILE",
      message: /train_32x32\.mat .*ufldl\.stanford\.edu/,
    });
  });
});

describe("FEMNIST", () => {
  /** An image of one grey. */
  const grey = (byte: number): number[] => new Array<number>(784).fill(byte / 255);
  const json = (users: Record<string, readonly (readonly [number, number])[]>): string =>
    JSON.stringify({
      users: Object.keys(users),
      num_samples: Object.values(users).map((samples) => samples.length),
      user_data: Object.fromEntries(
        Object.entries(users).map(([user, samples]) => [
          user,
          { x: samples.map(([byte]) => grey(byte)), y: samples.map(([, label]) => label) },
        ]),
      ),
    });
  async function leaf(parts: Record<string, Record<string, string>>): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "foedus-leaf-"));
    for (const [part, files] of Object.entries(parts)) {
      await mkdir(join(folder, part));
      for (const [name, content] of Object.entries(files)) await writeFile(join(folder, part, name), content);
    }
    return folder;
  }
  const parts = {
    train: {
      "data_1.json": json({ w3: [[102, 61]] }),
      "data_0.json": json({
        w1: [[255, 10]],
        w2: [
          [255, 0],
          [0, 36],
        ],
      }),
      "notes.txt": "",
    },
    test: { "data_0.json": json({ w2: [[51, 9]], w4: [[0, 1]] }) },
  };

  it("writers as clients over files and parts; letters as LEAF numbers them; paper is white", async () => {
    const data = await load({ name: "femnist", path: await leaf(parts), scale: "unit" });
    assert.equal(breachOf(data), undefined);
    assert.deepEqual(
      [data.clientNames, data.clients, data.testClients],
      [
        ["w1", "w2", "w3", "w4"],
        [0, 1, 1, 2],
        [1, 3],
      ],
    );
    const namesOf = (labels: Int32Array) => [...labels].map((label) => data.classNames[label]);
    assert.deepEqual(
      [namesOf(data.train.labels), namesOf(data.test.labels)],
      [
        ["A", "0", "a", "z"],
        ["9", "1"],
      ],
    );
    near(
      [0, 2, 3].map((image) => data.train.features[784 * image + 783] as number),
      [1, 0, 0.4],
    );
    near([data.test.features[0] as number], [0.2]);
  });

  it("standard: mean 0 and deviation 1 of the training pixels, whatever is kept of them; one grey is all 0", async () => {
    const path = await leaf(parts);
    const data = await load({ name: "femnist", path });
    const mean = (1 + 1 + 0 + 0.4) / 4;
    const deviation = Math.sqrt((2 * (1 - mean) ** 2 + mean ** 2 + (0.4 - mean) ** 2) / 4);
    near(
      [...[0, 2, 3].map((image) => data.train.features[784 * image] as number), data.test.features[0] as number],
      [1, 0, 0.4, 0.2].map((unit) => (unit - mean) / deviation),
    );
    const some = await load({ name: "femnist", path, samples: 2, testSamples: 1 });
    for (const value of some.train.features) assert.ok(data.train.features.includes(value));
    const plain = { "a.json": json({ w1: [[7, 1]] }) };
    const flat = await load({ name: "femnist", path: await leaf({ train: plain, test: plain }) });
    assert.deepEqual([flat.train.features[0], flat.clients, flat.testClients], [0, [0], [0]]);
  });

  it("MISSING_FILE: no folder, no files, with what makes them; BAD_ROW: a writer in two files, a damaged one", async () => {
    const missing = { code: "MISSING_FILE", message: /preprocess\.sh of https:\/\/github\.com\/TalwalkarLab\/leaf/ };
    await assert.rejects(load({ name: "femnist" }, await folderOf({})), missing);
    await assert.rejects(load({ name: "femnist", path: await leaf({ train: parts.train, test: {} }) }), missing);
    const twice = { ...parts.train, "left_over.json": json({ w1: [[0, 0]] }) };
    await assert.rejects(load({ name: "femnist", path: await leaf({ ...parts, train: twice }) }), {
      code: "BAD_ROW",
      message: /w1 is in .*left_over\.json/,
    });
    const damaged = { "a.json": json({ w1: [[0, 62]] }) };
    await assert.rejects(load({ name: "femnist", path: await leaf({ ...parts, test: damaged }) }), { code: "BAD_ROW" });
  });

  it("TOO_LARGE: a file of more than 256 MiB is not read; UNREADABLE: a file in a folder's place", async () => {
    const path = await leaf({ ...parts, test: { "a.json": "" } });
    // Sparse: it takes no room.
    await truncate(join(path, "test", "a.json"), 2 ** 28 + 1);
    await assert.rejects(load({ name: "femnist", path }), { code: "TOO_LARGE", message: /268435457 bytes/ });
    await assert.rejects(load({ name: "femnist", path: await folderOf({ train: "" }) }), { code: "UNREADABLE" });
  });

  it("has no digest to demand", async () => {
    const section = { name: "femnist", verify: true } as unknown as { name: "femnist" };
    assert.throws(() => load(section), { name: "ZodError" });
  });
});
