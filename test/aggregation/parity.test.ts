// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ruleOf } from "../../src/aggregation/rules.ts";
import type { AggregationConfig } from "../../src/protocol/recipe/aggregationConfig.ts";
import { BEACON, nameOf, rootOf } from "./fixtures.ts";
import { outcome } from "./run.ts";

interface Case {
  readonly name: string;
  readonly updates: number[][];
  readonly samples: number[];
  readonly reputations: number[];
  readonly facts: Record<"losses" | "contributions" | "accuracies" | "staleness" | "memberState" | "root", number[]>;
  readonly results: { readonly config: AggregationConfig; readonly moved: number[]; readonly kept: number[] }[];
}

/** Made by test/aggregation/parity/rules.py with NumPy, from the formulas, on the vectors themselves. */
const vectors = JSON.parse(readFileSync(new URL("../vectors/aggregation-rules.json", import.meta.url), "utf8")) as {
  readonly beacon: string;
  readonly cases: Case[];
};

/** Debian's, where python3-numpy installs to. */
const PYTHON = "/usr/bin/python3";
function hasNumpy(): boolean {
  return spawnSync(PYTHON, ["-c", "import numpy"]).status === 0;
}

/** Equal but for the last digits of numbers, which another NumPy may round otherwise. */
function assertAlike(made: unknown, recorded: unknown): void {
  if (typeof made === "number" && typeof recorded === "number")
    assert.ok(Math.abs(made - recorded) <= 1e-6 * Math.max(1, Math.abs(recorded)), `${made} and not ${recorded}`);
  else if (typeof made === "object" && made !== null && typeof recorded === "object" && recorded !== null) {
    assert.deepEqual(Object.keys(made), Object.keys(recorded));
    const other = recorded as Record<string, unknown>;
    for (const [key, value] of Object.entries(made)) assertAlike(value, other[key]);
  } else assert.equal(made, recorded);
}

describe("rules give what NumPy gives from their formulas", () => {
  it("with the same beacon", () => assert.equal(vectors.beacon, BEACON));

  it("and the vectors are what its program makes", { skip: !hasNumpy() }, (t) => {
    const folder = mkdtempSync(join(tmpdir(), "foedus-parity-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "made.json");
    const program = fileURLToPath(new URL("parity/rules.py", import.meta.url));
    const { status, stderr } = spawnSync(PYTHON, [program, path], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    const made = JSON.parse(readFileSync(path, "utf8")) as typeof vectors;
    assertAlike(made, vectors);
  });
  for (const { name, updates, samples, reputations, facts, results } of vectors.cases) {
    const { losses, root, ...lists } = facts;
    for (const { config, moved, kept } of results) {
      it(`${name}: ${nameOf(config)}`, async () => {
        const actual = await outcome(config, updates, samples, reputations, {
          losses,
          facts: { ...lists, root: rootOf(root) },
        });
        assert.deepEqual(actual.keptAt, kept);
        for (const [j, expected] of moved.entries()) {
          const tolerance = ruleOf(config).coordinateWise
            ? HALF_STEP + FLOAT64
            : FLOAT64 + weightRounding(config, updates, j);
          const difference = Math.abs((actual.moved[j] as number) - expected);
          assert.ok(difference <= tolerance, `coordinate ${j}: ${difference} is more than ${tolerance}`);
        }
      });
    }
  }
});

/** Rules that leave weight unspent. */
const SHRINKING = ["centred-clipping", "fltrust", "fedatt", "q-fedavg", "fedbuff", "fedasync"];
/** Order statistics are rounded once, to the master grid: half of 2^-16 of a step. */
const HALF_STEP = 0.5 / 65_536;
/** What sums of float64 and Weiszfeld's last step leave, at values up to 2^24. */
const FLOAT64 = 1e-4;

/**
 * A weight is off by less than a unit of 2^-16, and by one more for each unit that a smaller one is given. Weights that sum to 1 are off by
 * nothing in sum, so only what updates differ in counts; where some weight is unspent it counts from the head.
 */
function weightRounding({ rule }: AggregationConfig, updates: readonly number[][], j: number): number {
  const column = updates.map((row) => row[j] as number);
  const from = SHRINKING.includes(rule) ? 0 : Math.min(...column);
  return (2 * column.reduce((sum, q) => sum + Math.abs(q - from), 0)) / 65_536;
}
