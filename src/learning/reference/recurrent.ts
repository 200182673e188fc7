// SPDX-License-Identifier: Apache-2.0

/** Sequences as [sample, step, channel]. */

import type { LstmWeights } from "../operations.ts";
import { addAt, at, type Cell, type ReferenceTape } from "./cell.ts";

/** Activations of one hidden unit of one sample at one step. */
interface Unit {
  readonly i: number;
  readonly f: number;
  readonly g: number;
  readonly o: number;
  readonly c: number;
}

export function lstm(tape: ReferenceTape, x: Cell, weights: LstmWeights<Cell>, steps: number): Cell {
  const { inputWeight, hiddenWeight, inputBias, hiddenBias } = weights;
  const hidden = inputBias.data.length / 4;
  const channels = inputWeight.data.length / (4 * hidden);
  const samples = x.data.length / (steps * channels);
  const h = new Float64Array(samples * steps * hidden);
  const place = (b: number, t: number, u: number): number => (b * steps + t) * hidden + u;
  const units: Unit[] = [];
  for (let b = 0; b < samples; b++)
    for (let t = 0; t < steps; t++)
      for (let u = 0; u < hidden; u++) {
        const [zi, zf, zg, zo] = [0, 1, 2, 3].map((gate) => {
          const row = gate * hidden + u;
          let z = at(inputBias.data, row) + at(hiddenBias.data, row);
          for (let c = 0; c < channels; c++)
            z += at(inputWeight.data, row * channels + c) * at(x.data, (b * steps + t) * channels + c);
          for (let v = 0; t > 0 && v < hidden; v++)
            z += at(hiddenWeight.data, row * hidden + v) * at(h, place(b, t - 1, v));
          return z;
        }) as [number, number, number, number];
        const before = t === 0 ? 0 : (units[place(b, t - 1, u)] as Unit).c;
        const [i, f, g, o] = [sigmoid(zi), sigmoid(zf), Math.tanh(zg), sigmoid(zo)];
        const c = f * before + i * g;
        units[place(b, t, u)] = { i, f, g, o, c };
        h[place(b, t, u)] = o * Math.tanh(c);
      }
  return tape.record(h, ({ gradient }) => {
    const dh = gradient.slice();
    const dc = new Float64Array(dh.length);
    for (let b = 0; b < samples; b++)
      for (let t = steps - 1; t >= 0; t--)
        for (let u = 0; u < hidden; u++) {
          const { i, f, g, o, c } = units[place(b, t, u)] as Unit;
          const before = t === 0 ? 0 : (units[place(b, t - 1, u)] as Unit).c;
          const d = at(dh, place(b, t, u));
          const ds = at(dc, place(b, t, u)) + d * o * (1 - Math.tanh(c) ** 2);
          if (t > 0) addAt(dc, place(b, t - 1, u), ds * f);
          const dz = [
            ds * g * i * (1 - i),
            ds * before * f * (1 - f),
            ds * i * (1 - g ** 2),
            d * Math.tanh(c) * o * (1 - o),
          ];
          for (const [gate, value] of dz.entries()) {
            const row = gate * hidden + u;
            addAt(inputBias.gradient, row, value);
            addAt(hiddenBias.gradient, row, value);
            for (let k = 0; k < channels; k++) {
              addAt(inputWeight.gradient, row * channels + k, value * at(x.data, (b * steps + t) * channels + k));
              addAt(x.gradient, (b * steps + t) * channels + k, value * at(inputWeight.data, row * channels + k));
            }
            for (let v = 0; t > 0 && v < hidden; v++) {
              addAt(hiddenWeight.gradient, row * hidden + v, value * at(h, place(b, t - 1, v)));
              addAt(dh, place(b, t - 1, v), value * at(hiddenWeight.data, row * hidden + v));
            }
          }
        }
  });
}

function sigmoid(z: number): number {
  return 1 / (1 + Math.exp(-z));
}
