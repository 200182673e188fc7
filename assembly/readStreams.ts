// SPDX-License-Identifier: Apache-2.0

/**
 * Reads every byte of K streams of int32 and sums them, modulo 2^32: what a weighted sum would take if it only had to read. For benchmarks.
 *
 * @param streams K addresses (uint32); 16 bytes at a time, one line of 64 from each stream in turn, as a loop over coordinates would.
 * @param bytes of each stream, a multiple of 64.
 */
export function readStreams(streams: usize, count: u32, bytes: usize): i32 {
  let a = i32x4.splat(0);
  let b = i32x4.splat(0);
  let c = i32x4.splat(0);
  let d = i32x4.splat(0);
  for (let j: usize = 0; j < bytes; j += 64) {
    for (let k: u32 = 0; k < count; k++) {
      const at = <usize>load<u32>(streams + (<usize>k << 2)) + j;
      a = i32x4.add(a, v128.load(at));
      b = i32x4.add(b, v128.load(at, 16));
      c = i32x4.add(c, v128.load(at, 32));
      d = i32x4.add(d, v128.load(at, 48));
    }
  }
  a = i32x4.add(i32x4.add(a, b), i32x4.add(c, d));
  return i32x4.extract_lane(a, 0) + i32x4.extract_lane(a, 1) + i32x4.extract_lane(a, 2) + i32x4.extract_lane(a, 3);
}
