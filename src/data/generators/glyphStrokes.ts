// SPDX-License-Identifier: Apache-2.0

/** Thirty-six glyphs, and six primitives for sketches, as polylines in the unit square; x to the right, y down. */

export type Point = readonly [x: number, y: number];
export type Stroke = readonly Point[];

/** Part of an ellipse, in turns (0 at the right, a quarter at the bottom). */
function arc(cx: number, cy: number, rx: number, ry: number, from: number, to: number): Stroke {
  const pieces = Math.max(3, Math.ceil(Math.abs(to - from) * 14));
  return Array.from({ length: pieces + 1 }, (_, i) => {
    const angle = 2 * Math.PI * (from + ((to - from) * i) / pieces);
    return [cx + rx * Math.cos(angle), cy + ry * Math.sin(angle)] as const;
  });
}

const line = (...coordinates: number[]): Stroke =>
  Array.from({ length: coordinates.length / 2 }, (_, i) => [
    coordinates[2 * i] as number,
    coordinates[2 * i + 1] as number,
  ]);

/** Digits, then letters: capitals but for l, so that 1/l and 0/O are the hard pairs. */
export const GLYPHS: Readonly<Record<string, readonly Stroke[]>> = {
  0: [arc(0.5, 0.5, 0.29, 0.42, 0, 1)],
  1: [line(0.36, 0.22, 0.52, 0.08, 0.52, 0.92)],
  2: [arc(0.5, 0.32, 0.26, 0.24, 0.5, 1.1), line(0.71, 0.46, 0.24, 0.92, 0.78, 0.92)],
  3: [arc(0.46, 0.29, 0.26, 0.21, 0.6, 1.25), arc(0.46, 0.7, 0.3, 0.22, 0.75, 1.4)],
  4: [line(0.66, 0.92, 0.66, 0.08, 0.2, 0.66, 0.84, 0.66)],
  5: [line(0.74, 0.08, 0.3, 0.08, 0.28, 0.44), arc(0.46, 0.66, 0.3, 0.26, 0.66, 1.4)],
  6: [line(0.66, 0.08, 0.3, 0.52), arc(0.5, 0.66, 0.25, 0.26, 0, 1)],
  7: [line(0.22, 0.08, 0.78, 0.08, 0.4, 0.92)],
  8: [arc(0.5, 0.28, 0.21, 0.2, 0, 1), arc(0.5, 0.7, 0.26, 0.22, 0, 1)],
  9: [arc(0.5, 0.33, 0.25, 0.25, 0, 1), line(0.75, 0.33, 0.6, 0.92)],
  A: [line(0.16, 0.92, 0.5, 0.08, 0.84, 0.92), line(0.29, 0.6, 0.71, 0.6)],
  B: [
    line(0.24, 0.08, 0.24, 0.92, 0.5, 0.92),
    arc(0.5, 0.7, 0.28, 0.22, 0.25, -0.25),
    line(0.5, 0.48, 0.24, 0.48),
    arc(0.46, 0.28, 0.25, 0.2, 0.25, -0.25),
    line(0.46, 0.08, 0.24, 0.08),
  ],
  C: [arc(0.54, 0.5, 0.34, 0.42, 0.13, 0.87)],
  D: [line(0.24, 0.08, 0.24, 0.92, 0.42, 0.92), arc(0.42, 0.5, 0.38, 0.42, 0.25, -0.25), line(0.42, 0.08, 0.24, 0.08)],
  E: [line(0.76, 0.08, 0.26, 0.08, 0.26, 0.92, 0.76, 0.92), line(0.26, 0.5, 0.66, 0.5)],
  F: [line(0.76, 0.08, 0.26, 0.08, 0.26, 0.92), line(0.26, 0.5, 0.66, 0.5)],
  G: [arc(0.52, 0.5, 0.34, 0.42, 0, 0.87), line(0.86, 0.5, 0.56, 0.5)],
  H: [line(0.22, 0.08, 0.22, 0.92), line(0.78, 0.08, 0.78, 0.92), line(0.22, 0.5, 0.78, 0.5)],
  I: [line(0.5, 0.08, 0.5, 0.92), line(0.3, 0.08, 0.7, 0.08), line(0.3, 0.92, 0.7, 0.92)],
  J: [line(0.68, 0.08, 0.68, 0.68), arc(0.45, 0.68, 0.23, 0.24, 0, 0.5)],
  K: [line(0.24, 0.08, 0.24, 0.92), line(0.78, 0.08, 0.24, 0.56), line(0.42, 0.42, 0.8, 0.92)],
  l: [line(0.48, 0.08, 0.48, 0.84, 0.58, 0.92)],
  M: [line(0.14, 0.92, 0.18, 0.08, 0.5, 0.6, 0.82, 0.08, 0.86, 0.92)],
  N: [line(0.22, 0.92, 0.22, 0.08, 0.78, 0.92, 0.78, 0.08)],
  O: [arc(0.5, 0.5, 0.35, 0.42, 0, 1)],
  P: [line(0.26, 0.92, 0.26, 0.08, 0.48, 0.08), arc(0.48, 0.31, 0.29, 0.23, -0.25, 0.25), line(0.48, 0.54, 0.26, 0.54)],
  Q: [arc(0.5, 0.48, 0.38, 0.4, 0, 1), line(0.58, 0.66, 0.86, 0.94)],
  R: [
    line(0.26, 0.92, 0.26, 0.08, 0.48, 0.08),
    arc(0.48, 0.31, 0.28, 0.23, -0.25, 0.25),
    line(0.48, 0.54, 0.26, 0.54),
    line(0.48, 0.54, 0.8, 0.92),
  ],
  S: [arc(0.5, 0.29, 0.26, 0.21, 0.95, 0.25), arc(0.5, 0.71, 0.27, 0.21, 0.75, 1.45)],
  T: [line(0.14, 0.08, 0.86, 0.08), line(0.5, 0.08, 0.5, 0.92)],
  U: [line(0.22, 0.08, 0.22, 0.62), arc(0.5, 0.62, 0.28, 0.3, 0.5, 0), line(0.78, 0.62, 0.78, 0.08)],
  V: [line(0.16, 0.08, 0.5, 0.92, 0.84, 0.08)],
  W: [line(0.1, 0.08, 0.3, 0.92, 0.5, 0.36, 0.7, 0.92, 0.9, 0.08)],
  X: [line(0.18, 0.08, 0.82, 0.92), line(0.82, 0.08, 0.18, 0.92)],
  Y: [line(0.16, 0.08, 0.5, 0.5, 0.84, 0.08), line(0.5, 0.5, 0.5, 0.92)],
  Z: [line(0.2, 0.08, 0.8, 0.08, 0.2, 0.92, 0.8, 0.92)],
};

/** What sketches are made of. */
export const PRIMITIVES: Readonly<Record<string, readonly Stroke[]>> = {
  circle: [arc(0.5, 0.5, 0.4, 0.4, 0, 1)],
  triangle: [line(0.5, 0.1, 0.9, 0.85, 0.1, 0.85, 0.5, 0.1)],
  square: [line(0.14, 0.14, 0.86, 0.14, 0.86, 0.86, 0.14, 0.86, 0.14, 0.14)],
  cross: [line(0.5, 0.1, 0.5, 0.9), line(0.1, 0.5, 0.9, 0.5)],
  zigzag: [line(0.08, 0.7, 0.29, 0.3, 0.5, 0.7, 0.71, 0.3, 0.92, 0.7)],
  spiral: [
    Array.from(
      { length: 29 },
      (_, i) => [0.5 + 0.015 * i * Math.cos(i / 2.2), 0.5 + 0.015 * i * Math.sin(i / 2.2)] as const,
    ),
  ],
};
