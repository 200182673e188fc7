// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { budgetsOf } from "../../bench/aggregation/budgets.ts";
import { type Results, type Row, resultsSchema } from "../../bench/aggregation/results.ts";
import { cellsOf } from "../../bench/aggregation/run.ts";
import { renderTables, replaceTables } from "../../bench/aggregation/table.ts";
import { KERNELS, RULES } from "../../bench/aggregation/work.ts";
import { formatResults } from "../../bench/lib/formatResults.ts";
import { ruleOf } from "../../src/aggregation/rules.ts";
import { recipeSchema } from "../../src/protocol/recipe.ts";
import { FACTUAL } from "../aggregation/fixtures.ts";

const place = (path: string): URL => new URL(`../../${path}`, import.meta.url);
const read = (path: string): string => readFileSync(place(path), "utf8");
const RESULTS = "bench/results/aggregation.json";
/** Undefined where nothing was measured yet: the document must then show nothing either. */
const committed = (): Results | undefined =>
  existsSync(place(RESULTS)) ? resultsSchema.parse(JSON.parse(read(RESULTS))) : undefined;

const row = (change: Partial<Row>): Row => ({
  name: "weighted sum (dense)",
  k: 20,
  d: 1_000_000,
  backend: "cpu",
  threads: 1,
  ms: 10,
  gbps: 8,
  ratioBandwidth: 0.7,
  ratioNumpy: 4,
  ratioPlainJs: 3,
  ...change,
});

/** Results of a machine that was never built. */
const made = (change: Partial<Results>): Results => ({
  date: "2026-01-02T03:04:05.000Z",
  quick: false,
  repeats: 7,
  machine: {
    cpu: "a processor",
    cores: 2,
    memoryGiB: 8,
    os: "an OS",
    node: "v24",
    gpu: null,
    loadBefore: 0,
    loadAfter: 1,
  },
  numpy: null,
  rows: [],
  bandwidth: [],
  peers: [],
  rules: [],
  uploaded: [],
  fewer: [],
  interruptions: 0,
  missing: [],
  ...change,
});

const budget = (results: Results, what: RegExp) => {
  const found = budgetsOf(results).filter((entry) => what.test(entry.what));
  assert.equal(found.length, 1, String(what));
  return found[0] as (typeof found)[number];
};

describe("the committed results of the aggregation bench", () => {
  it("are what docs/benchmarks.md shows: `npm run bench -- aggregation --render` makes it so", () => {
    const document = read("docs/benchmarks.md");
    const results = committed();
    if (results === undefined)
      assert.match(document, /<!-- bench aggregation: begin.*-->\n<!-- bench aggregation: end -->/);
    else assert.equal(replaceTables(document, results), document);
  });

  it("are a whole run, in the agreed form, written as the bench writes them", (t) => {
    const results = committed();
    if (results === undefined) return t.skip(`${RESULTS} is not there: nothing was measured yet`);
    assert.equal(results.quick, false);
    assert.equal(formatResults(results), read(RESULTS));
    const seen = (what: "name" | "k" | "d"): unknown[] => [...new Set(results.rows.map((row) => row[what]))];
    assert.deepEqual(
      seen("name"),
      [...KERNELS, ...RULES].map(({ name }) => name),
    );
    assert.deepEqual(seen("k"), [20, 100]);
    assert.deepEqual(seen("d"), [100_000, 1_000_000, 10_000_000]);
  });
});

describe("the aggregation bench", () => {
  it("measures every rule that a recipe can name, within its condition at every K, but those made of the same passes", () => {
    const measured = new Set<string>(RULES.map(({ config }) => config(20).rule));
    const known = recipeSchema.shape.aggregation.options.map(({ shape }) => shape.rule.value);
    // A weighted sum, some after a Gram matrix; what they add are scalars (fedatt by cosine: a median too, which has a row of its own).
    const alike = [{ rule: "uniform-mean" } as const, ...FACTUAL];
    for (const config of alike) assert.ok(!measured.has(config.rule) && !ruleOf(config).coordinateWise);
    assert.deepEqual([...new Set([...measured, ...alike.map(({ rule }) => rule)])].sort(), [...known].sort());
    for (const { name, config, usesGram } of RULES) {
      for (const k of [20, 100]) {
        const rule = ruleOf(config(k));
        assert.ok(rule.minUpdates <= k, `${name} at K = ${k}`);
        assert.equal(rule.usesGram, usesGram, name);
      }
    }
  });

  it("visits every cell once, those on the same data one after the other", () => {
    const cells = cellsOf({ kernels: KERNELS, rules: RULES, ks: [20, 100], ds: [100_000, 1_000_000] });
    const names = cells.map(({ work, k, d }) => `${work === "rules" ? work : work.name} ${k} ${d}`);
    assert.equal(new Set(names).size, names.length);
    assert.equal(names.length, (KERNELS.length + 1) * 4);
    const data = cells.map(({ work, k }) => `${work === "rules" ? "narrow" : work.form} ${k}`);
    assert.equal(data.filter((entry, i) => entry !== data[i - 1]).length, new Set(data).size);
  });

  it("judges budgets by the worst size, and says when nothing was measured", () => {
    const dense = /^the same, of the fastest K-stream reader$/;
    const results = made({ rows: [row({}), row({ d: 10_000_000, ratioBandwidth: 0.59 }), row({ k: 100 })] });
    assert.deepEqual(budget(results, dense), {
      what: "the same, of the fastest K-stream reader",
      limit: "≥ 0.6",
      worst: { value: 0.59, where: "weighted sum (dense), K = 20, d = 1e7, cpu, 1 thread" },
      cells: 3,
      met: 2,
    });
    assert.deepEqual([budget(made({}), dense).cells, budget(made({}), dense).worst], [0, null]);
    const others = made({ rows: [row({ backend: "plain-js" }), row({ backend: "gpu" })] });
    assert.equal(budget(others, dense).cells, 0);
  });

  it("compares threads, forms and peers of the same size only", () => {
    const results = made({
      rows: [
        row({ ms: 10 }),
        row({ ms: 6, threads: 2 }),
        row({ name: "weighted sum (int8)", ms: 4 }),
        row({ name: "weighted sum (int8)", ms: 3, d: 100_000 }),
        row({ name: "median", ms: 30 }),
        row({ name: "median", ms: 15, threads: 2 }),
        row({ name: "median", ms: 10, threads: 2, k: 100 }),
        row({ name: "Gram (int16 range)", ms: 20 }),
        row({ name: "Gram (int16 range)", ms: 22, threads: 2 }),
      ],
      peers: [
        {
          name: "Gram (int16 range)",
          k: 20,
          d: 1_000_000,
          peer: "gram float64 blas",
          threads: 1,
          ms: 30,
          comparable: true,
        },
        {
          name: "Gram (int16 range)",
          k: 100,
          d: 1_000_000,
          peer: "gram float64 blas",
          threads: 1,
          ms: 1,
          comparable: true,
        },
        { name: "Gram (int16 range)", k: 20, d: 1_000_000, peer: "gram int64", threads: 1, ms: 80, comparable: true },
      ],
    });
    assert.equal(budget(results, /int8\), decoded/).worst?.value, 2.5);
    assert.equal(budget(results, /int8\), decoded/).cells, 1);
    assert.equal(budget(results, /K = 20, against float64 BLAS$/).worst?.value, 1.5);
    assert.equal(budget(results, /K = 100, against float64 BLAS$/).cells, 0);
    assert.deepEqual([budget(results, /int64/).worst?.value, budget(results, /int64/).met], [3.636, 0]);
    assert.deepEqual(
      [budget(results, /time against one/).worst?.value, budget(results, /time against one/).cells],
      [1.1, 3],
    );
    assert.equal(budget(results, /speed-up of order/).worst?.value, 2);
    assert.equal(budget(results, /speed-up of Gram/).worst?.value, 0.9091);
  });

  it("replaces the tables of a document and nothing else", () => {
    const first = renderTables(made({}));
    const document = `before\n${first}\nafter\n`;
    const second = replaceTables(document, made({ rows: [row({})] }));
    assert.match(
      second,
      /^before\n<!-- bench aggregation: begin.*\| weighted sum \(dense\) \| 20 \| 1e6 \| 10 \| 8 \| 70 %.*end -->\nafter\n$/s,
    );
    assert.equal(replaceTables(second, made({})), document);
    assert.throws(() => replaceTables("no tables", made({})), /no place/);
  });
});
