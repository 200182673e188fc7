// SPDX-License-Identifier: Apache-2.0
import { ADD_64, HEAD, MATRIX, WORKGROUP } from "./payload.ts";

/**
 * Inner products from int8 limbs. q = Σ_p d_p 256^p with every d_p in [−128, 127]: the low byte, read as signed, and what is left after it is
 * taken away, divided by 256. L limbs hold |q| ≤ 127 · (256^L − 1) / 255, so no correction terms are needed and zeros pad a row. Then
 * ⟨x, y⟩ = Σ_s 256^s T_s with T_s = Σ_{a+b=s} ⟨d_a(x), d_b(y)⟩.
 *
 * At most four products make up a coordinate's part of one T_s, each at most 2^14 in magnitude. COORDINATES of them stay within
 * 2^14 · 4 · 2^14 = 2^30: int32. The sums of workgroups are added in int64.
 */
export const LIMBS = [1, 2, 3, 4] as const;
export type Limbs = (typeof LIMBS)[number];
/** Largest |q| that so many limbs hold; the last is more than the grid's. */
export const LIMB_LIMIT: Readonly<Record<Limbs, number>> = { 1: 127, 2: 32_639, 3: 8_355_711, 4: 2_139_062_143 };
/** Coordinates whose products one workgroup adds up. */
export const COORDINATES = 16_384;
const WORDS = COORDINATES / 4;
/** T_0 … T_6 of a pair. */
export const SUMS = 7;
/** Pairs along each side of the square that a thread keeps in registers: as many sums as fit. */
export const SIDE: Readonly<Record<Limbs, number>> = { 1: 4, 2: 4, 3: 3, 4: 2 };

/** Words of the plan that the device makes for itself: the largest |q| of the tile, then workgroups of each shader. */
export const PLAN_WORDS = 1 + 3 * LIMBS.length;

/** Finds the largest |q| of the tile: one row of workgroups for each update. */
export const LARGEST_SHADER = /* wgsl */ `${HEAD}${MATRIX}
@group(0) @binding(2) var<storage, read_write> plan: array<atomic<u32>>;
var<workgroup> largest: atomic<u32>;

@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  var most = 0i;
  for (var j = id.x; j < tileCount(); j += groups.x * ${WORKGROUP}u) { most = max(most, abs(valueAt(id.y, j))); }
  atomicMax(&largest, u32(most));
  workgroupBarrier();
  if (thread == 0u) { atomicMax(&plan[0], atomicLoad(&largest)); }
}`;

/** How many limbs the tile needs: the shader for so many gets its workgroups, the others none. */
export const PLAN_SHADER = /* wgsl */ `${HEAD}
@group(0) @binding(2) var<storage, read_write> plan: array<u32>;

@compute @workgroup_size(1)
fn main() {
  let groups = (stride() / 4u + ${WORDS - 1}u) / ${WORDS}u;
  var sides = array<u32, 4>(${LIMBS.map((limbs) => `${SIDE[limbs]}u`).join(", ")});
  var limits = array<u32, 4>(${LIMBS.map((limbs) => `${LIMB_LIMIT[limbs]}u`).join(", ")});
  var found = false;
  for (var l = 0u; l < 4u; l++) {
    let chosen = !found && plan[0] <= limits[l];
    found = found || chosen;
    let tiles = (rows() + sides[l] - 1u) / sides[l];
    plan[1u + 3u * l] = select(0u, groups, chosen);
    plan[2u + 3u * l] = select(0u, tiles, chosen);
    plan[3u + 3u * l] = select(0u, tiles, chosen);
  }
}`;

/** Splits the matrix into planes of limbs, four neighbouring coordinates to a word: word w of limb p of row k at ((4k + p) · words + w). */
export const SPLIT_SHADER = /* wgsl */ `${HEAD}
@group(0) @binding(1) var<storage, read> matrix4: array<vec4i>;
@group(0) @binding(2) var<storage, read> plan: array<u32>;
@group(0) @binding(3) var<storage, read_write> planes: array<u32>;

@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let words = stride() / 4u;
  var limbs = 4u;
  if (plan[0] <= ${LIMB_LIMIT[1]}u) { limbs = 1u; } else if (plan[0] <= ${LIMB_LIMIT[2]}u) { limbs = 2u; } else if (plan[0] <= ${LIMB_LIMIT[3]}u) { limbs = 3u; }
  for (var w = id.x; w < words; w += groups.x * ${WORKGROUP}u) {
    let inTile = vec4u(4u * w) + vec4u(0u, 1u, 2u, 3u) < vec4u(tileCount());
    var rest = select(vec4i(0), matrix4[id.y * words + w], inTile);
    for (var p = 0u; p < limbs; p++) {
      let limb = (rest << vec4u(24u)) >> vec4u(24u);
      rest = (rest - limb) >> vec4u(8u);
      let bytes = bitcast<vec4u>(limb) & vec4u(255u);
      planes[(4u * id.y + p) * words + w] = bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
    }
  }
}`;

const PACKED_DOT = "fn dot4(a: u32, b: u32) -> i32 { return dot4I8Packed(a, b); }";
const MANUAL_DOT = /* wgsl */ `
fn dot4(a: u32, b: u32) -> i32 {
  let x = vec4i(vec4u(a << 24u, a << 16u, a << 8u, a)) >> vec4u(24u);
  let y = vec4i(vec4u(b << 24u, b << 16u, b << 8u, b)) >> vec4u(24u);
  return x.x * y.x + x.y * y.y + x.z * y.z + x.w * y.w;
}`;

/**
 * Adds T_s of all pairs of rows into int64 totals: pair (i, k), i ≤ k, at 2 · SUMS · (k (k + 1) / 2 + i). A workgroup has SIDE × SIDE pairs and
 * COORDINATES coordinates; its threads take every 64th word, so that their reads lie side by side.
 */
export function gramShader(limbs: Limbs, packed: boolean): string {
  const side = SIDE[limbs];
  const sums = 2 * limbs - 1;
  const range = (count: number): number[] => [...Array(count).keys()];
  const cells = range(side).flatMap((r) => range(side).map((c) => ({ r, c })));
  const lines = {
    zero: cells.flatMap(({ r, c }) => range(sums).map((s) => `var t${r}_${c}_${s} = 0i;`)),
    rows: range(side).flatMap((r) => [
      `let i${r} = 4u * min(i + ${r}u, rows() - 1u) * words;`,
      `let k${r} = 4u * min(k + ${r}u, rows() - 1u) * words;`,
    ]),
    load: range(side).flatMap((r) =>
      range(limbs).flatMap((p) => [
        `let x${r}_${p} = planes[i${r} + ${p}u * words + w];`,
        `let y${r}_${p} = planes[k${r} + ${p}u * words + w];`,
      ]),
    ),
    multiply: cells.flatMap(({ r, c }) =>
      range(limbs).flatMap((a) => range(limbs).map((b) => `t${r}_${c}_${a + b} += dot4(x${r}_${a}, y${c}_${b});`)),
    ),
    reduce: cells.flatMap(({ r, c }) =>
      range(sums).map((s) => `atomicAdd(&gathered[${(r * side + c) * sums + s}], t${r}_${c}_${s});`),
    ),
  };
  return /* wgsl */ `${packed ? "requires packed_4x8_integer_dot_product;\n" : ""}${HEAD}
@group(0) @binding(1) var<storage, read> planes: array<u32>;
@group(0) @binding(2) var<storage, read_write> totals: array<atomic<u32>>;
var<workgroup> gathered: array<atomic<i32>, ${side * side * sums}>;
${ADD_64}
${packed ? PACKED_DOT : MANUAL_DOT}

@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let i = group.y * ${side}u;
  let k = group.z * ${side}u;
  if (k < i) { return; }
  let words = stride() / 4u;
  let stop = min(words, (group.x + 1u) * ${WORDS}u);
  ${lines.rows.join("\n  ")}
  ${lines.zero.join("\n  ")}
  for (var w = group.x * ${WORDS}u + thread; w < stop; w += ${WORKGROUP}u) {
    ${lines.load.join("\n    ")}
    ${lines.multiply.join("\n    ")}
  }
  ${lines.reduce.join("\n  ")}
  workgroupBarrier();
  for (var at = thread; at < ${side * side * sums}u; at += ${WORKGROUP}u) {
    let row = i + at / ${side * sums}u;
    let column = k + (at / ${sums}u) % ${side}u;
    if (row <= column && column < rows()) {
      let sum = atomicLoad(&gathered[at]);
      let pair = column * (column + 1u) / 2u + row;
      add64(2u * (pair * ${SUMS}u + at % ${sums}u), bitcast<u32>(sum), bitcast<u32>(sum >> 31u));
    }
  }
}`;
}
