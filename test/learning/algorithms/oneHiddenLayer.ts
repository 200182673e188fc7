// SPDX-License-Identifier: Apache-2.0

/**
 * Jacobians of a tanh network with one hidden layer, from their closed forms in float64: no tape, no backward pass, nothing of what they
 * are to check. Parameters are W1, b1, W2, b2; z = W2·h + b2, h = tanh(W1·x + b1).
 */

export interface OneHiddenLayer {
  readonly inputs: number;
  readonly hidden: number;
  readonly classes: number;
}

type Numbers = ArrayLike<number>;
const at = (values: Numbers, i: number): number => values[i] as number;

export const dot = (a: Numbers, b: Numbers): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += at(a, i) * at(b, i);
  return sum;
};

/** ‖a − b‖/‖b‖. */
export const relativeError = (a: Numbers, b: Numbers): number => {
  const away = Float64Array.from(a, (value, i) => value - at(b, i));
  return Math.sqrt(dot(away, away) / dot(b, b));
};

function placesOf({ inputs, hidden, classes }: OneHiddenLayer) {
  const b1 = hidden * inputs;
  const w2 = b1 + hidden;
  return { b1, w2, b2: w2 + classes * hidden, count: w2 + classes * (hidden + 1) };
}

function hiddenOf(net: OneHiddenLayer, w: Numbers, x: Numbers): number[] {
  const { b1 } = placesOf(net);
  return Array.from({ length: net.hidden }, (_, j) => {
    let sum = at(w, b1 + j);
    for (let i = 0; i < net.inputs; i++) sum += at(w, j * net.inputs + i) * at(x, i);
    return Math.tanh(sum);
  });
}

export function logitsOf(net: OneHiddenLayer, w: Numbers, x: Numbers): number[] {
  const { w2, b2 } = placesOf(net);
  const h = hiddenOf(net, w, x);
  return Array.from({ length: net.classes }, (_, c) =>
    h.reduce((sum, value, j) => sum + at(w, w2 + c * net.hidden + j) * value, at(w, b2 + c)),
  );
}

/** ∂⟨q, z⟩/∂θ; with a basis vector q a row of the Jacobian. */
export function slopeOf(net: OneHiddenLayer, w: Numbers, x: Numbers, q: Numbers): Float64Array {
  const { b1, w2, b2, count } = placesOf(net);
  const slope = new Float64Array(count);
  for (const [j, h] of hiddenOf(net, w, x).entries()) {
    let back = 0;
    for (let c = 0; c < net.classes; c++) {
      back += at(q, c) * at(w, w2 + c * net.hidden + j);
      slope[w2 + c * net.hidden + j] = at(q, c) * h;
    }
    slope[b1 + j] = back * (1 - h * h);
    for (let i = 0; i < net.inputs; i++) slope[j * net.inputs + i] = back * (1 - h * h) * at(x, i);
  }
  for (let c = 0; c < net.classes; c++) slope[b2 + c] = at(q, c);
  return slope;
}

/** J, a row per class. */
export function jacobianOf(net: OneHiddenLayer, w: Numbers, x: Numbers): Float64Array[] {
  return Array.from({ length: net.classes }, (_, c) =>
    slopeOf(
      net,
      w,
      x,
      Array.from({ length: net.classes }, (_, k) => Number(k === c)),
    ),
  );
}

/** ∇_θ‖J‖_F², where ‖J‖_F² = C(1 + ‖h‖²) + (1 + ‖x‖²)·Σ_j (1 − h_j²)²·‖W2_{·j}‖². */
export function squaredNormGradient(net: OneHiddenLayer, w: Numbers, x: Numbers): Float64Array {
  const { b1, w2, count } = placesOf(net);
  const gradient = new Float64Array(count);
  const reach = 1 + dot(x, x);
  for (const [j, h] of hiddenOf(net, w, x).entries()) {
    const flat = 1 - h * h;
    let column = 0;
    for (let c = 0; c < net.classes; c++) {
      const weight = at(w, w2 + c * net.hidden + j);
      column += weight * weight;
      gradient[w2 + c * net.hidden + j] = 2 * reach * flat * flat * weight;
    }
    const bias = 2 * h * flat * (net.classes - 2 * reach * flat * column);
    gradient[b1 + j] = bias;
    for (let i = 0; i < net.inputs; i++) gradient[j * net.inputs + i] = bias * at(x, i);
  }
  return gradient;
}
