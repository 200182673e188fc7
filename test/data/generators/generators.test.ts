// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { z } from "zod";
import type { dataSchema } from "../../../src/data/dataConfig.ts";
import { GENERATORS } from "../../../src/data/datasets.ts";
import type { Dataset } from "../../../src/protocol/dataset.ts";
import { breachOf, labelCounts, load } from "../support/load.ts";

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const variance = (values: readonly number[]): number => mean(values.map((x) => (x - mean(values)) ** 2));
const row = ({ features, inputs }: Dataset, i: number): Float32Array => features.subarray(i * inputs, (i + 1) * inputs);

/** Mean feature vector of the samples that a condition picks. */
function center(data: Dataset, picks: (i: number) => boolean): number[] {
  const picked = [...data.labels.keys()].filter(picks);
  return Array.from({ length: data.inputs }, (_, k) => mean(picked.map((i) => row(data, i)[k] as number)));
}

/** Share of test samples whose class has the nearest center, by squared distance or (for counts of words) what `view` makes of a sample. */
function nearestCenter(train: Dataset, test: Dataset, view: (x: Float32Array) => number[] = (x) => [...x]): number {
  const sums = Array.from({ length: train.classes }, () => ({ count: 0, sum: [] as number[] }));
  for (const [i, label] of train.labels.entries()) {
    const own = sums[label] as { count: number; sum: number[] };
    const x = view(row(train, i));
    own.count += 1;
    own.sum = x.map((value, k) => value + (own.sum[k] ?? 0));
  }
  const centers = sums.map(({ count, sum }) => sum.map((value) => value / count));
  let right = 0;
  for (const [i, label] of test.labels.entries()) {
    const x = view(row(test, i));
    const distances = centers.map((own) => own.reduce((sum, value, k) => sum + (value - (x[k] as number)) ** 2, 0));
    if (distances.indexOf(Math.min(...distances)) === label) right += 1;
  }
  return right / test.size;
}

describe("every generator", () => {
  const few = { samples: 200, testSamples: 100 };
  for (const name of Object.keys(GENERATORS) as (keyof typeof GENERATORS)[]) {
    const section: z.input<typeof dataSchema> =
      name === "s-lin" ? { name, clients: 3, maxSamples: 80 } : { name, ...few };
    it(`${name}: equal seeds give equal data, others other data, and the result is well formed`, async () => {
      const data = await load(section);
      assert.equal(breachOf(data), undefined);
      assert.deepEqual(await load(section), data);
      assert.notDeepEqual((await load(section, ".", "another")).train.features, data.train.features);
      assert.notDeepEqual(
        data.train.features.subarray(0, data.train.inputs * 50),
        data.test.features.subarray(0, data.train.inputs * 50),
      );
      if (name !== "s-lin") assert.deepEqual([data.train.size, data.test.size], [200, 100]);
      assert.equal(data.clients !== undefined, "naturalClients" in GENERATORS[name]);
    });
  }

  it("natural clients have equally many samples within one", async () => {
    const { clients } = await load({ name: "s-ecg", samples: 103, testSamples: 10, clients: 10 });
    const counts = labelCounts(Int32Array.from(clients as readonly number[]), 10);
    assert.deepEqual(new Set(counts), new Set([10, 11]));
  });
});

describe("S-MIX", () => {
  it("4000 + 1000 samples of ten equal classes; a class's center has variance s²/2 + noise, a sample 1 around its prototype", async () => {
    const s = 0.7;
    const { train, test } = await load({ name: "s-mix", s });
    assert.deepEqual(
      [labelCounts(train.labels, 10), labelCounts(test.labels, 10)],
      [new Array(10).fill(400), new Array(10).fill(100)],
    );
    // The mean of two prototypes N(0, s²) has variance s²/2; 400 samples add (1 + s²/2)/400. 640 values: relative error √(2/640) = 0.056.
    const centers = Array.from({ length: 10 }, (_, c) => center(train, (i) => train.labels[i] === c)).flat();
    const expected = (s * s) / 2 + (1 + (s * s) / 2) / 400;
    assert.ok(Math.abs(variance(centers) / expected - 1) < 0.25, `${variance(centers)} against ${expected}`);
    // Within a class: 1 + the spread of the two modes, whose half difference has variance s²/2.
    const within = Array.from({ length: 10 }, (_, c) => {
      const own = center(train, (i) => train.labels[i] === c);
      const squares = [...train.labels.keys()]
        .filter((i) => train.labels[i] === c)
        .map((i) => mean(own.map((value, k) => ((row(train, i)[k] as number) - value) ** 2)));
      return mean(squares);
    });
    assert.ok(Math.abs(mean(within) - (1 + (s * s) / 2)) < 0.06, `${mean(within)}`);
  });

  it("harder for a smaller s; the best possible rule reaches about what an MLP was measured to", async () => {
    // One mode, so that the nearest center is the Bayes rule; its accuracy at these s in 64 dimensions is far from 0.1 and from 1.
    const accuracy = async (s: number): Promise<number> => {
      const { train, test } = await load({ name: "s-mix", s, modes: 1 });
      return nearestCenter(train, test);
    };
    const [hard, medium, easy] = [await accuracy(0.2), await accuracy(0.3), await accuracy(0.7)];
    assert.ok(hard > 0.35 && hard < medium && medium < easy && easy > 0.97, `${hard} ${medium} ${easy}`);
  });
});

describe("S-LIN", () => {
  it("inputs vary as j^−1.2 around the client's mean; sizes begin at 50; the linear model separates them", async () => {
    const { train, test, clients } = await load({ name: "s-lin", clients: 4, maxSamples: 1500 });
    const sizes = labelCounts(Int32Array.from([...(clients as number[])]), 4);
    assert.ok(
      sizes.every((size) => size >= 40 && size <= 1200),
      `${sizes}`,
    );
    assert.equal(train.size + test.size >= 4 * 50, true);
    const largest = sizes.indexOf(Math.max(...sizes));
    const own = [...(clients as number[]).keys()].filter((i) => clients?.[i] === largest);
    for (const j of [1, 5, 60]) {
      const spread = variance(own.map((i) => row(train, i)[j - 1] as number));
      // A variance of n values has relative error √(2/n).
      const tolerance = 5 * Math.sqrt(2 / own.length);
      assert.ok(Math.abs(spread / j ** -1.2 - 1) < tolerance, `${j}: ${spread} of ${own.length}`);
    }
  });

  it("iid: all clients have one model and one input distribution; otherwise their means differ by about √(2(1 + β))", async () => {
    const distance = async (section: { iid?: boolean; beta?: number }): Promise<number> => {
      const { train, clients } = await load({ name: "s-lin", clients: 6, maxSamples: 400, ...section });
      const centers = Array.from({ length: 6 }, (_, client) => center(train, (i) => clients?.[i] === client));
      const squares: number[] = [];
      for (let a = 0; a < 6; a++)
        for (let b = 0; b < a; b++)
          squares.push(
            mean((centers[a] as number[]).map((x, k) => (x - ((centers[b] as number[])[k] as number)) ** 2)),
          );
      return mean(squares);
    };
    assert.ok((await distance({ iid: true })) < 0.02);
    // Means differ by N(0, 1) − N(0, 1) plus the difference of the two B_k, which β = 0 leaves out: 2 per coordinate.
    const none = await distance({ beta: 0 });
    assert.ok(Math.abs(none - 2) < 0.4, `${none}`);
    assert.ok((await distance({ beta: 25 })) > 10);
  });
});

describe("S-GLYPH", () => {
  it("without variation every sample of a glyph is one image, with ink and a free margin", async () => {
    const { train, classNames } = await load({
      name: "s-glyph",
      variation: 0,
      samples: 400,
      testSamples: 1,
      clients: 4,
    });
    assert.deepEqual([classNames.length, new Set(classNames).size], [36, 36]);
    const images = new Map<number, string>();
    for (const [i, label] of train.labels.entries()) {
      const image = row(train, i);
      const text = image.join();
      assert.equal(images.get(label) ?? text, text);
      images.set(label, text);
      const ink = image.reduce((sum, value) => sum + value, 0) / 196;
      assert.ok(ink > 0.04 && ink < 0.45, `${classNames[label]}: ${ink}`);
    }
    assert.equal(new Set(images.values()).size, images.size);
  });

  it("1 and l, 0 and O are nearer to each other than most pairs are", async () => {
    const { train, classNames } = await load({
      name: "s-glyph",
      variation: 0,
      samples: 1500,
      testSamples: 1,
      size: 14,
    });
    const image = (name: string): Float32Array => row(train, train.labels.indexOf(classNames.indexOf(name)));
    const distance = (a: string, b: string): number =>
      image(a).reduce((sum, value, k) => sum + (value - (image(b)[k] as number)) ** 2, 0);
    const all = classNames.flatMap((a, i) => classNames.slice(0, i).map((b) => distance(a, b))).sort((a, b) => a - b);
    for (const [a, b] of ["1l", "0O"].map((pair) => [...pair] as [string, string]))
      assert.ok(distance(a, b) < (all[Math.floor(all.length / 5)] as number), `${a} and ${b}: ${distance(a, b)}`);
  });

  it("writers differ in style more than one writer's samples do", async () => {
    const { train, clients } = await load({ name: "s-glyph", samples: 800, testSamples: 1, clients: 4 });
    const ink = (i: number): number => row(train, i).reduce((sum, value) => sum + value, 0);
    const means = Array.from({ length: 4 }, (_, client) =>
      mean([...train.labels.keys()].filter((i) => clients?.[i] === client).map(ink)),
    );
    assert.ok(Math.max(...means) / Math.min(...means) > 1.1, `${means}`);
  });

  it("sketch: every second client draws primitives only, the others glyphs only", async () => {
    const { train, clients, classNames } = await load({
      name: "s-glyph",
      sketch: true,
      samples: 300,
      testSamples: 10,
      size: 28,
    });
    assert.deepEqual([train.inputs, classNames.length], [784, 42]);
    for (const [i, label] of train.labels.entries()) assert.equal(label >= 36, (clients?.[i] as number) % 2 === 1);
  });
});

describe("S-ECG", () => {
  it("two leads: beats peak, noise does not; every class occurs equally often", async () => {
    const { train, shape, classNames } = await load({ name: "s-ecg", samples: 500, testSamples: 10 });
    assert.deepEqual(shape, [128, 2]);
    assert.deepEqual(labelCounts(train.labels, 5), new Array(5).fill(100));
    // Kurtosis of the first lead: spikes over a quiet line are heavy-tailed, artefacts nearly Gaussian.
    const kurtosis = (i: number): number => {
      const lead = Array.from({ length: 128 }, (_, step) => row(train, i)[2 * step] as number);
      return mean(lead.map((x) => (x - mean(lead)) ** 4)) / variance(lead) ** 2;
    };
    const byClass = classNames.map((_, label) =>
      mean([...train.labels.keys()].filter((i) => train.labels[i] === label).map(kurtosis)),
    );
    assert.ok((byClass[0] as number) > 4 && (byClass[4] as number) < 3.2, `${byClass}`);
  });

  it("clients have their own rate: the strongest period of normal beats differs between them", async () => {
    const { train, clients } = await load({ name: "s-ecg", samples: 1200, testSamples: 10, clients: 6 });
    const period = (client: number): number => {
      const own = [...train.labels.keys()].filter((i) => clients?.[i] === client && train.labels[i] === 0);
      const scores = Array.from({ length: 50 }, (_, extra) => {
        const lag = 25 + extra;
        return mean(
          own.map((i) => {
            let sum = 0;
            for (let step = 0; step + lag < 128; step++)
              sum += (row(train, i)[2 * step] as number) * (row(train, i)[2 * (step + lag)] as number);
            return sum / (128 - lag);
          }),
        );
      });
      return 25 + scores.indexOf(Math.max(...scores));
    };
    const periods = Array.from({ length: 6 }, (_, client) => period(client));
    // 55 to 105 beats per minute at 50 Hz are 29 to 55 samples, drawn within 8 % of the client's own.
    assert.ok(
      periods.every((own) => own >= 25 && own <= 60) && Math.max(...periods) - Math.min(...periods) >= 6,
      `${periods}`,
    );
  });
});

describe("S-TEXT", () => {
  it("topics are told apart by their words, and not at all without topical words and bigrams; padding only at the end", async () => {
    const accuracy = async (section: { topicality: number; order?: number }): Promise<number> => {
      const { train, test, vocabulary } = await load({
        name: "s-text",
        samples: 1000,
        testSamples: 300,
        words: 300,
        ...section,
      });
      return nearestCenter(train, test, (ids) => {
        const counts = new Array<number>(vocabulary as number).fill(0);
        for (const id of ids) if (id > 0) counts[id] = (counts[id] as number) + 1;
        return counts;
      });
    };
    // Chance is 0.25, with standard error 0.025 for 300 texts.
    const [none, some] = [await accuracy({ topicality: 0, order: 0 }), await accuracy({ topicality: 0.5 })];
    assert.ok(Math.abs(none - 0.25) < 0.1 && some > 0.8, `${none} ${some}`);
    const { train } = await load({ name: "s-text", samples: 50, testSamples: 10 });
    for (let i = 0; i < 50; i++) {
      const ids = [...row(train, i)];
      const end = ids.indexOf(0) < 0 ? 32 : ids.indexOf(0);
      assert.ok(end >= 16 && ids.slice(0, end).every((id) => id >= 2) && ids.slice(end).every((id) => id === 0));
    }
  });

  it("a word is followed by one of three with the probability `order`", async () => {
    const { train } = await load({
      name: "s-text",
      samples: 4000,
      testSamples: 1,
      topics: 2,
      words: 100,
      order: 1,
      length: 64,
    });
    const followers = new Map<string, Set<number>>();
    for (const [i, label] of train.labels.entries()) {
      const ids = row(train, i);
      for (let k = 1; k < 32; k++) {
        const key = `${label} ${ids[k - 1]}`;
        followers.set(key, (followers.get(key) ?? new Set()).add(ids[k] as number));
      }
    }
    assert.ok([...followers.values()].every((own) => own.size <= 3));
  });

  it("clients tilt their topics: distributions of words differ between clients more than by chance", async () => {
    const distance = async (tilt: number): Promise<number> => {
      const { train, clients } = await load({
        name: "s-text",
        samples: 4000,
        testSamples: 1,
        clients: 2,
        topics: 2,
        words: 100,
        order: 0,
        topicality: 1,
        tilt,
      });
      const counts = [0, 1].map((client) => {
        const own = new Array<number>(102).fill(0);
        for (const [i, label] of train.labels.entries())
          if (label === 0 && clients?.[i] === client)
            for (const id of row(train, i)) if (id > 0) own[id] = (own[id] as number) + 1;
        const total = own.reduce((sum, count) => sum + count, 0);
        return own.map((count) => count / total);
      });
      return (
        (counts[0] as number[]).reduce((sum, p, k) => sum + Math.abs(p - ((counts[1] as number[])[k] as number)), 0) / 2
      );
    };
    const [even, tilted] = [await distance(0), await distance(1)];
    assert.ok(even < 0.05 && tilted > 0.2, `${even} ${tilted}`);
  });
});

describe("S-IOT", () => {
  it("the asked share of anomalies; they deviate more; the shifted parts have the same devices and other levels", async () => {
    const { train, test, shifted, shape } = await load({
      name: "s-iot",
      anomalies: 0.25,
      samples: 1000,
      testSamples: 200,
    });
    assert.deepEqual(
      [shape, labelCounts(train.labels, 2), labelCounts(test.labels, 2)],
      [
        [32, 6],
        [750, 250],
        [150, 50],
      ],
    );
    const reach = (label: number): number =>
      mean(
        [...train.labels.keys()]
          .filter((i) => train.labels[i] === label)
          .map((i) => Math.max(...row(train, i)) - Math.min(...row(train, i))),
      );
    assert.ok(reach(1) > reach(0) * 1.15, `${reach(0)} ${reach(1)}`);
    // Per channel, the mean over all steps; the drift is half a standard normal for each channel.
    const levels = (data: Dataset): number[] =>
      Array.from({ length: 6 }, (_, k) =>
        mean(Array.from({ length: data.size * 32 }, (_, t) => data.features[t * 6 + k] as number)),
      );
    const apart = (a: Dataset, b: Dataset): number =>
      Math.max(...levels(a).map((x, k) => Math.abs(x - (levels(b)[k] as number))));
    assert.ok(shifted !== undefined);
    assert.ok(
      apart(train, test) < 0.2 && apart(train, shifted.train) > 0.3,
      `${apart(train, test)} ${apart(train, shifted.train)}`,
    );
    assert.ok(apart(shifted.train, shifted.test) < 0.2);
    assert.equal((await load({ name: "s-iot", shift: 0, samples: 10, testSamples: 10 })).shifted, undefined);
  });
});
