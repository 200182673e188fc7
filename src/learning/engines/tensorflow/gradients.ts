// SPDX-License-Identifier: Apache-2.0

/**
 * Gradients of the kernels that `tensorflowOperations.ts` meets. TensorFlow.js has its own, but they come with the package that bundles
 * everything (300 MB with layers, converters and browsers' backends); the core that Node can load has none registered.
 */

import type { GradConfig, NamedAttrMap, Tensor } from "@tensorflow/tfjs-core";
import type { Tensorflow } from "./runtime.ts";

type Gradient = (dy: Tensor, saved: Tensor[], attributes: NamedAttrMap) => Record<string, () => Tensor>;

interface Rule {
  /** Inputs, by name, that the gradient is computed from; or the output. */
  readonly from?: readonly string[] | "output" | "all inputs";
  readonly gradient: Gradient;
}

function rulesOf(tf: Tensorflow): Readonly<Record<string, Rule>> {
  /** Summed over the axes that broadcasting added or stretched. */
  const like = (dy: Tensor, { shape }: Tensor): Tensor => {
    const axes = tf.broadcast_util.getReductionAxes(shape, dy.shape);
    return tf.reshape(axes.length === 0 ? dy : tf.sum(dy, axes), shape);
  };
  const inputs = (gradient: (dy: Tensor, x: Tensor, attributes: NamedAttrMap) => Tensor): Rule => ({
    from: ["x"],
    gradient: (dy, [x], attributes) => ({ x: () => gradient(dy, x as Tensor, attributes) }),
  });
  const output = (input: string, gradient: (dy: Tensor, y: Tensor) => Tensor): Rule => ({
    from: "output",
    gradient: (dy, [y]) => ({ [input]: () => gradient(dy, y as Tensor) }),
  });
  const pair = (a: (dy: Tensor, b: Tensor) => Tensor, b: (dy: Tensor, a: Tensor) => Tensor): Rule => ({
    from: ["a", "b"],
    gradient: (dy, [x, y]) => ({
      a: () => like(a(dy, y as Tensor), x as Tensor),
      b: () => like(b(dy, x as Tensor), y as Tensor),
    }),
  });
  return {
    Add: pair(
      (dy) => dy,
      (dy) => dy,
    ),
    Sub: pair(
      (dy) => dy,
      (dy) => tf.neg(dy),
    ),
    Multiply: pair(
      (dy, b) => tf.mul(dy, b),
      (dy, a) => tf.mul(dy, a),
    ),
    // Concatenation of one part.
    Identity: { gradient: (dy) => ({ x: () => dy }) },
    Relu: inputs((dy, x) => tf.mul(dy, tf.step(x))),
    Tanh: output("x", (dy, y) => tf.mul(dy, tf.sub(1, tf.mul(y, y)))),
    Sigmoid: output("x", (dy, y) => tf.mul(dy, tf.mul(y, tf.sub(1, y)))),
    // d x^(−1/2) = −½ x^(−3/2).
    Rsqrt: output("x", (dy, y) => tf.mul(dy, tf.mul(-0.5, tf.mul(y, tf.mul(y, y))))),
    // Softmax here is always over the last axis.
    Softmax: output("logits", (dy, y) => {
      const weighted = tf.mul(dy, y);
      return tf.sub(weighted, tf.mul(tf.sum(weighted, -1, true), y));
    }),
    Sum: inputs((dy, x, { axis }) => {
      const summed = new Set(tf.util.parseAxisParam(axis as number[], x.shape));
      const kept = x.shape.map((extent, i) => (summed.has(i) ? 1 : extent));
      return tf.mul(tf.reshape(dy, kept), tf.onesLike(x));
    }),
    Reshape: inputs((dy, x) => tf.reshape(dy, x.shape)),
    Transpose: inputs((dy, _, { perm }) => {
      const order = perm as number[];
      return tf.transpose(
        dy,
        order.map((_, i) => order.indexOf(i)),
      );
    }),
    PadV2: inputs((dy, x, { paddings }) =>
      tf.slice(
        dy,
        (paddings as [number, number][]).map(([before]) => before),
        x.shape,
      ),
    ),
    Slice: inputs((dy, x, { begin }) => {
      const from = begin as number[];
      return tf.pad(
        dy,
        from.map((at, i) => [at, (x.shape[i] as number) - at - (dy.shape[i] as number)]),
      );
    }),
    SplitV: {
      // One gradient for each part; a single part's is no list.
      gradient: (dy, _, { axis }) => ({ x: () => tf.concat([dy].flat(), axis as number) }),
    },
    Concat: {
      from: "all inputs",
      gradient(dy, saved, { axis }) {
        const along = tf.util.parseAxisParam(axis as number, dy.shape)[0] as number;
        const parts = tf.split(
          dy,
          saved.map(({ shape }) => shape[along] as number),
          along,
        );
        return Object.fromEntries(parts.map((part, i) => [i, () => part]));
      },
    },
  };
}

/** Makes them known to a library that has none; those it has are left as they are. */
export function registerGradients(tf: Tensorflow): void {
  for (const [kernelName, { from = [], gradient }] of Object.entries(rulesOf(tf))) {
    if (tf.getGradient(kernelName) !== undefined) continue;
    tf.registerGradient({
      kernelName,
      ...(from === "output" ? { outputsToSave: [true] } : {}),
      ...(from === "all inputs" ? { saveAllInputs: true } : {}),
      ...(Array.isArray(from) ? { inputsToSave: [...from] } : {}),
      gradFunc: gradient as GradConfig["gradFunc"],
    });
  }
}
