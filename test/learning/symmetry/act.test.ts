// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { initialiseParameters, parameterLayout, symmetryGroups, vocabularyOf } from "../../../src/learning/layout.ts";
import { referenceValueAndGradient } from "../../../src/learning/reference.ts";
import { mixUnits, permuteUnits } from "../../../src/learning/symmetry/act.ts";
import type { SymmetryGroup } from "../../../src/learning/symmetry/symmetryGroup.ts";
import { keyedRandom, type Random } from "../../../src/protocol/random.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";
import { ALL_MODELS } from "../../fixtures/models.ts";

const SIZE = 4;

/** A random model in float64, biases included, and what it computes on random inputs. */
function subject(config: ModelConfig, random: Random) {
  const normals = (count: number): Float64Array => Float64Array.from({ length: count }, () => random.normal());
  const start = initialiseParameters(config, random);
  const parameters = normals(start.length).map((value, i) => (start[i] as number) + 0.3 * value);
  const vocabulary = vocabularyOf(config);
  const inputs = normals(SIZE * config.inputs).map((value) =>
    vocabulary === undefined ? value : random.integerBelow(vocabulary),
  );
  const logits = (of: ArrayLike<number>): Float64Array =>
    referenceValueAndGradient(config, of, inputs, SIZE, { targets: new Float64Array(SIZE * config.classes) }).logits;
  return { parameters, logits };
}

function largestDifference(a: Float64Array, b: Float64Array): number {
  return Math.max(...a.map((value, i) => Math.abs(value - (b[i] as number))));
}

/** A random orthogonal matrix: a product of Householder reflections. */
function rotation(size: number, random: Random): Float64Array {
  let matrix = Float64Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
  for (let k = 0; k < size; k++) {
    const v = Array.from({ length: size }, () => random.normal());
    const norm = v.reduce((sum, x) => sum + x * x, 0);
    matrix = matrix.map((value, index) => {
      const [row, column] = [Math.floor(index / size), index % size];
      const along = v.reduce((sum, x, i) => sum + x * (matrix[i * size + column] as number), 0);
      return value - (2 * (v[row] as number) * along) / norm;
    });
  }
  return matrix;
}

/** A random order that leaves no unit in its place. */
function cycle(size: number, random: Random): number[] {
  const ring = random.permutation(size);
  const order: number[] = [];
  for (const [i, unit] of ring.entries()) order[unit] = ring[(i + 1) % size] as number;
  return order;
}

function transposed(matrix: Float64Array, size: number): Float64Array {
  return matrix.map((_, index) => matrix[(index % size) * size + Math.floor(index / size)] as number);
}

/** U·D·V for rotations U, V and a diagonal D away from 0; and its inverse. */
function invertible(size: number, random: Random): { matrix: Float64Array; inverse: Float64Array } {
  const [u, v] = [rotation(size, random), rotation(size, random)];
  const d = Array.from({ length: size }, () => 0.5 + random.uniform());
  const product = (a: Float64Array, middle: readonly number[], b: Float64Array): Float64Array =>
    a.map((_, index) => {
      const [row, column] = [Math.floor(index / size), index % size];
      return middle.reduce(
        (sum, m, k) => sum + (a[row * size + k] as number) * m * (b[k * size + column] as number),
        0,
      );
    });
  return {
    matrix: product(u, d, v),
    inverse: product(
      transposed(v, size),
      d.map((x) => 1 / x),
      transposed(u, size),
    ),
  };
}

describe("symmetries leave the function as it is, to 1e-10 in float64", () => {
  for (const [title, config] of Object.entries(ALL_MODELS)) {
    const layout = parameterLayout(config);
    const cases: [
      string,
      (group: SymmetryGroup) => boolean,
      (p: Float64Array, g: SymmetryGroup, r: Random) => Float64Array,
    ][] = [
      ["permutations", ({ kind }) => kind === "permutation", (p, g, r) => permuteUnits(layout, p, g, cycle(g.size, r))],
      [
        "signs",
        ({ kind, signs }) => kind === "permutation" && signs,
        (p, g, r) => {
          const signs = Array.from({ length: g.size }, () => (r.uniform() < 0.5 ? -1 : 1));
          return permuteUnits(layout, p, g, cycle(g.size, r), signs);
        },
      ],
      [
        "scalings",
        ({ scaling }) => scaling,
        (p, g, r) => {
          const d = Float64Array.from({ length: g.size }, () => 0.5 + r.uniform());
          const diagonal = (f: (x: number) => number): Float64Array =>
            Float64Array.from({ length: g.size ** 2 }, (_, i) =>
              i % (g.size + 1) === 0 ? f(d[i % g.size] as number) : 0,
            );
          return mixUnits(
            layout,
            p,
            g,
            diagonal((x) => x),
            diagonal((x) => 1 / x),
          );
        },
      ],
      [
        "rotations",
        ({ kind }) => kind !== "permutation",
        (p, g, r) => {
          const q = rotation(g.size, r);
          return mixUnits(layout, p, g, q, transposed(q, g.size));
        },
      ],
      [
        "invertible maps",
        ({ kind }) => kind === "linear",
        (p, g, r) => {
          const { matrix, inverse } = invertible(g.size, r);
          return mixUnits(layout, p, g, matrix, inverse);
        },
      ],
    ];
    for (const [what, applies, act] of cases) {
      const groups = symmetryGroups(config).filter(applies);
      if (groups.length === 0) continue;
      it(`${title}: ${what}`, () => {
        const random = keyedRandom("invariance", title, what);
        const { parameters, logits } = subject(config, random);
        const expected = logits(parameters);
        let all: Float64Array = parameters;
        for (const group of groups) {
          const moved = act(parameters, group, random);
          assert.notDeepEqual(moved, parameters, group.name);
          assert.ok(largestDifference(logits(moved), expected) < 1e-10, group.name);
          all = act(all, group, random);
        }
        assert.ok(largestDifference(logits(all), expected) < 1e-10, "all groups after one another");
      });
    }
  }

  it("every hidden tensor of every architecture is touched, and logistic regression has no symmetry", () => {
    for (const config of Object.values(ALL_MODELS)) {
      const touched = new Set(symmetryGroups(config).flatMap(({ touches }) => touches.map(({ tensor }) => tensor)));
      const untouched = parameterLayout(config).filter(({ name, head }) => !touched.has(name) && !head);
      assert.deepEqual(untouched, []);
      if (config.kind === "logistic") assert.equal(touched.size, 0);
    }
  });
});

describe("permuteUnits", () => {
  const config: ModelConfig = { kind: "mlp", inputs: 1, hidden: [3], classes: 2, activation: "tanh" };
  const layout = parameterLayout(config);
  const group = symmetryGroups(config)[0] as SymmetryGroup;
  // W1 (3×1), b1, W2 (2×3), b2.
  const parameters = Float32Array.of(1, 2, 3, 10, 20, 30, 4, 5, 6, 7, 8, 9, 0.5, 0.25);

  it("takes unit order[i] to place i", () => {
    const moved = permuteUnits(layout, parameters, group, [2, 0, 1]);
    assert.deepEqual([...moved], [3, 1, 2, 30, 10, 20, 6, 4, 5, 9, 7, 8, 0.5, 0.25]);
  });

  it("negates where told, and makes no −0", () => {
    const zeros = parameters.map((value) => (value === 1 ? 0 : value));
    const moved = permuteUnits(layout, zeros, group, [0, 1, 2], [-1, 1, -1]);
    assert.deepEqual([...moved], [0, 2, -3, -10, 20, -30, -4, 5, -6, -7, 8, -9, 0.5, 0.25]);
    assert.ok(Object.is(moved[0], 0));
  });

  it("refuses what is no order of the units", () => {
    for (const order of [
      [0, 1],
      [0, 1, 1],
      [1, 2, 3],
      [0, 1, 2, 3],
    ])
      assert.throws(() => permuteUnits(layout, parameters, group, order), RangeError);
  });
});
