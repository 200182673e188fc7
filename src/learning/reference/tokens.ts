// SPDX-License-Identifier: Apache-2.0

/** Token rows as [sample, token, value]. */

import { type AttentionShape, MASKED_SCORE } from "../operations.ts";
import { addAt, at, type Cell, type ReferenceTape } from "./cell.ts";

export function attention(tape: ReferenceTape, x: Cell, ids: Cell, { length, heads, width }: AttentionShape): Cell {
  const samples = ids.data.length / length;
  const size = width / heads;
  const scale = 1 / Math.sqrt(size);
  /** Part 0 is the query, 1 the key, 2 the value. */
  const place = (b: number, t: number, part: number, h: number, k: number): number =>
    (b * length + t) * 3 * width + part * width + h * size + k;
  const y = new Float64Array(samples * length * width);
  const weights = new Map<string, number[]>();
  for (let b = 0; b < samples; b++)
    for (let h = 0; h < heads; h++)
      for (let t = 0; t < length; t++) {
        const scores = Array.from({ length }, (_, s) => {
          let score = 0;
          for (let k = 0; k < size; k++) score += at(x.data, place(b, t, 0, h, k)) * at(x.data, place(b, s, 1, h, k));
          return score * scale + (at(ids.data, b * length + s) === 0 ? MASKED_SCORE : 0);
        });
        const largest = Math.max(...scores);
        const powers = scores.map((score) => Math.exp(score - largest));
        const total = powers.reduce((sum, power) => sum + power, 0);
        const row = powers.map((power) => power / total);
        weights.set(`${b} ${h} ${t}`, row);
        for (const [s, weight] of row.entries())
          for (let k = 0; k < size; k++)
            addAt(y, (b * length + t) * width + h * size + k, weight * at(x.data, place(b, s, 2, h, k)));
      }
  return tape.record(y, ({ gradient }) => {
    for (let b = 0; b < samples; b++)
      for (let h = 0; h < heads; h++)
        for (let t = 0; t < length; t++) {
          const row = weights.get(`${b} ${h} ${t}`) as number[];
          const dy = gradient.subarray((b * length + t) * width + h * size, (b * length + t) * width + (h + 1) * size);
          const dRow = row.map((weight, s) => {
            let d = 0;
            for (let k = 0; k < size; k++) {
              d += at(dy, k) * at(x.data, place(b, s, 2, h, k));
              addAt(x.gradient, place(b, s, 2, h, k), weight * at(dy, k));
            }
            return d;
          });
          const level = row.reduce((sum, weight, s) => sum + weight * at(dRow, s), 0);
          for (const [s, weight] of row.entries()) {
            const d = weight * (at(dRow, s) - level) * scale;
            for (let k = 0; k < size; k++) {
              addAt(x.gradient, place(b, t, 0, h, k), d * at(x.data, place(b, s, 1, h, k)));
              addAt(x.gradient, place(b, s, 1, h, k), d * at(x.data, place(b, t, 0, h, k)));
            }
          }
        }
  });
}

export function meanOverTokens(tape: ReferenceTape, x: Cell, ids: Cell, length: number, width: number): Cell {
  const samples = ids.data.length / length;
  const weightOf = (b: number, t: number): number => {
    const present = ids.data.subarray(b * length, (b + 1) * length).filter((id) => id !== 0).length;
    return at(ids.data, b * length + t) === 0 ? 0 : 1 / present;
  };
  const y = new Float64Array(samples * width);
  const eachValue = (visit: (from: number, to: number, weight: number) => void): void => {
    for (let b = 0; b < samples; b++)
      for (let t = 0; t < length; t++)
        for (let k = 0; k < width; k++) visit((b * length + t) * width + k, b * width + k, weightOf(b, t));
  };
  eachValue((from, to, weight) => addAt(y, to, weight * at(x.data, from)));
  return tape.record(y, ({ gradient }) => {
    eachValue((from, to, weight) => addAt(x.gradient, from, weight * at(gradient, to)));
  });
}
