// SPDX-License-Identifier: Apache-2.0
import { DESCRIPTOR_WORDS, HEAD_WORDS } from "../payload.ts";

/** Threads of a workgroup, in every shader: a multiple of every GPU's subgroup that suits most. */
export const WORKGROUP = 64;

/** Where this thread stands in a dispatch of more workgroups than one dimension holds; `dispatchLinear` is its other half. */
export const PLACE = /* wgsl */ `
fn placeOf(group: vec3u, groups: vec3u, thread: u32) -> u32 { return (group.y * groups.x + group.x) * ${WORKGROUP}u + thread; }
`;

/** The payload's head. */
export const HEAD = /* wgsl */ `
@group(0) @binding(0) var<storage, read> payload: array<u32>;
fn tileCount() -> u32 { return payload[0]; }
fn stride() -> u32 { return payload[1]; }
fn rows() -> u32 { return payload[2]; }
fn fullRows() -> u32 { return payload[3]; }
fn setting() -> u32 { return payload[4]; }
`;

/**
 * Four neighbouring coordinates of any update that is not sparse: `fourAt(k, g)` are those from 4g on, `denseAt(k, g)` if it is known to be
 * dense. Past the tile's end they are anything.
 */
export const FOUR_VALUES = /* wgsl */ `
@group(0) @binding(1) var<storage, read> payload4: array<vec4i>;

fn descriptor(k: u32) -> u32 { return ${HEAD_WORDS}u + k * ${DESCRIPTOR_WORDS}u; }
fn denseAt(k: u32, g: u32) -> vec4i { return payload4[payload[descriptor(k) + 1u] + g]; }

fn byteAt(at: u32) -> u32 { return (payload[at >> 2u] >> ((at & 3u) << 3u)) & 255u; }
fn bigEndian(at: u32) -> u32 { return (byteAt(at) << 24u) | (byteAt(at + 1u) << 16u) | (byteAt(at + 2u) << 8u) | byteAt(at + 3u); }
fn swapped(word: u32) -> u32 {
  let pairs = ((word & 0x00ff00ffu) << 8u) | ((word >> 8u) & 0x00ff00ffu);
  return (pairs << 16u) | (pairs >> 16u);
}

fn blockValue(d: u32, place: u32) -> i32 {
  let width = payload[d];
  let base = payload[d + 1u];
  let blockSize = payload[d + 2u];
  let block = place / blockSize;
  let start = base + block * (4u + blockSize * width);
  var scale = payload[d + 4u];
  if (block > 0u) { scale = bigEndian(start); }
  let at = start + 4u + (place - block * blockSize) * width;
  if (width == 1u) { return i32(scale) * (i32(byteAt(at) << 24u) >> 24u); }
  return i32(scale) * (i32((byteAt(at) << 24u) | (byteAt(at + 1u) << 16u)) >> 16u);
}

fn blocksAt(k: u32, g: u32) -> vec4i {
  let d = descriptor(k);
  let place = payload[d + 3u] + 4u * g;
  if (payload[d + 6u] == 0u) {
    return vec4i(blockValue(d, place), blockValue(d, place + 1u), blockValue(d, place + 2u), blockValue(d, place + 3u));
  }
  let width = payload[d];
  let blockSize = payload[d + 2u];
  let block = place / blockSize;
  let start = payload[d + 1u] + block * (4u + blockSize * width);
  var scale = payload[d + 4u];
  if (block > 0u) { scale = swapped(payload[start >> 2u]); }
  let at = (start + 4u + (place - block * blockSize) * width) >> 2u;
  if (width == 1u) {
    let word = payload[at];
    return i32(scale) * (vec4i(vec4u(word << 24u, word << 16u, word << 8u, word)) >> vec4u(24u));
  }
  let pairs = vec2u(swapped(payload[at]), swapped(payload[at + 1u]));
  return i32(scale) * (vec4i(vec4u(pairs.x, pairs.x << 16u, pairs.y, pairs.y << 16u)) >> vec4u(16u));
}

fn fourAt(k: u32, g: u32) -> vec4i {
  if (payload[descriptor(k)] == 0u) { return denseAt(k, g); }
  return blocksAt(k, g);
}
`;

/** Entry `i` of sparse update `k`: its coordinate in the tile and its value. */
export const SPARSE = /* wgsl */ `
struct Entry { at: u32, value: i32 }
fn sparseEntries(d: u32) -> u32 { return payload[d + 2u]; }
fn sparseEntry(d: u32, i: u32) -> Entry {
  return Entry(payload[payload[d + 1u] + i] - payload[d + 3u], bitcast<i32>(payload[payload[d + 4u] + i]));
}
`;

/** The K × stride matrix of int32 values that order statistics and inner products work on. */
export const MATRIX = /* wgsl */ `
@group(0) @binding(1) var<storage, read> matrix: array<i32>;
fn valueAt(k: u32, j: u32) -> i32 { return matrix[k * stride() + j]; }
`;

/** int64 sums of any number of workgroups: two words each, the carry found from what the lower word was before. */
export const ADD_64 = /* wgsl */ `
fn add64(at: u32, low: u32, high: u32) {
  if (low == 0u && high == 0u) { return; }
  let before = atomicAdd(&totals[at], low);
  let carried = high + select(0u, 1u, before + low < before);
  if (carried != 0u) { atomicAdd(&totals[at + 1u], carried); }
}
`;
