// SPDX-License-Identifier: Apache-2.0

/**
 * Operations whose gradients TensorFlow.js lacks on some backend, or computes slowly, with gradients written here. First order only: the
 * library's own second derivatives are wrong through exponentials in silence, and the port asks for none.
 *
 * The WebAssembly backend multiplies transposed matrices in a plain loop, ten times slower than others: so they are transposed before. It has no
 * gradient of a convolution's kernel (a convolution of the transposed tensors), of the maximum in a window, or of a row's choice.
 */

import type { Tensor, Tensor2D, Tensor4D } from "@tensorflow/tfjs-core";
import type { Tensorflow } from "./runtime.ts";

/** Tensors that nothing is differentiated by: no time is spent on their gradients. */
export type Constants = Pick<WeakSet<Tensor>, "has">;

const NONE: Constants = new WeakSet();

/** One gradient for each argument, computed when it is asked for. */
type Gradients = (dy: Tensor, saved: Tensor[]) => (() => Tensor)[];

/** `tf.customGrad` as it is used here: the arguments are saved and handed to `gradients`. */
function withGradients(
  tf: Tensorflow,
  args: readonly Tensor[],
  value: (...args: Tensor[]) => Tensor,
  gradients: Gradients,
  constants: Constants = NONE,
): Tensor {
  const constant = args.map((tensor) => constants.has(tensor));
  const differentiable = tf.customGrad((...given) => {
    const save = given.at(-1) as unknown as (tensors: Tensor[]) => void;
    const tensors = given.slice(0, -1) as Tensor[];
    save(tensors);
    // The library wants a tensor for each argument, also for those whose gradient it throws away.
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] =>
      gradients(dy, saved).map((gradient, i) => (constant[i] ? tf.scalar(0) : gradient()));
    return { value: value(...tensors), gradFunc };
  });
  return differentiable(...(args as Tensor[]));
}

const swapLast = (tf: Tensorflow, x: Tensor): Tensor => {
  const order = x.shape.map((_, i) => i);
  const last = order.length - 1;
  return tf.transpose(x, [...order.slice(0, -2), last, last - 1]);
};

/** a·b over the last two extents; those before them are equal. */
export function product(tf: Tensorflow, a: Tensor, b: Tensor): Tensor {
  return withGradients(
    tf,
    [a, b],
    (x, y) => tf.matMul(x as Tensor, y as Tensor),
    (dy, [x, y]) => [() => tf.matMul(dy, swapLast(tf, y as Tensor)), () => tf.matMul(swapLast(tf, x as Tensor), dy)],
  );
}

/** x·wᵀ for rows x [n, inputs] and w [outputs, inputs]. */
export function productWithTransposed(tf: Tensorflow, x: Tensor, w: Tensor, constants: Constants): Tensor {
  return withGradients(
    tf,
    [x, w],
    (rows, weight) => tf.matMul(rows as Tensor, swapLast(tf, weight as Tensor)),
    (dy, [rows, weight]) => [() => tf.matMul(dy, weight as Tensor), () => tf.matMul(swapLast(tf, dy), rows as Tensor)],
    constants,
  );
}

/** Cross-correlation without padding: x [n, height, width, in], kernel [vertical, horizontal, in, out]. */
export function correlate(
  tf: Tensorflow,
  x: Tensor,
  kernel: Tensor,
  stride: readonly [number, number],
  constants: Constants,
): Tensor {
  const strides: [number, number] = [...stride];
  return withGradients(
    tf,
    [x, kernel],
    (input, filter) => tf.conv2d(input as Tensor4D, filter as Tensor4D, strides, "valid"),
    (dy, [input, filter]) => [
      () => tf.conv2dTranspose(dy as Tensor4D, filter as Tensor4D, (input as Tensor4D).shape, strides, "valid"),
      () => {
        const [vertical, horizontal, channels, outputs] = (filter as Tensor4D).shape;
        // dW[kh, kw, i, o] = Σ x[n, s·y + kh, s·x + kw, i] · dy[n, y, x, o]: samples are channels, and the stride spreads dy.
        const wide = tf.conv2d(
          tf.transpose(input as Tensor4D, [3, 1, 2, 0]),
          tf.transpose(dy as Tensor4D, [1, 2, 0, 3]),
          1,
          "valid",
          "NHWC",
          strides,
        );
        // Rows that no window reached come out too.
        return tf.transpose(tf.slice(wide, [0, 0, 0, 0], [channels, vertical, horizontal, outputs]), [1, 2, 0, 3]);
      },
    ],
    constants,
  );
}

/** The largest value of each row of windows [rows, places]; the first of equal ones gets the gradient. */
export function firstMaximum(tf: Tensorflow, windows: Tensor): Tensor {
  return withGradients(
    tf,
    [windows],
    (rows) => tf.max(rows as Tensor, 1),
    (dy, [rows]) => [
      () => {
        const chosen = tf.oneHot(tf.argMax(rows as Tensor, 1) as Tensor, (rows as Tensor).shape[1] as number);
        return tf.mul(tf.cast(chosen, "float32"), tf.expandDims(dy, 1));
      },
    ],
  );
}

/** Rows of a table by index; indices have no gradient. */
export function chooseRows(tf: Tensorflow, table: Tensor, indices: Tensor): Tensor {
  return withGradients(
    tf,
    [table, indices],
    (rows, chosen) => tf.gather(rows as Tensor, chosen as Tensor),
    (dy, [rows, chosen]) => [
      () => tf.scatterND(tf.expandDims(chosen as Tensor, 1), dy as Tensor2D, (rows as Tensor2D).shape),
      () => tf.zeros((chosen as Tensor).shape),
    ],
  );
}
