// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../../protocol/random.ts";
import { probabilities } from "./probabilities.ts";
import { row } from "./vectors.ts";

/** A rotation in the plane of two features. */
export interface GivensRotation {
  readonly a: number;
  readonly b: number;
  readonly cosine: number;
  readonly sine: number;
}

/** The last linear layer, h(z) = Vz + b. */
export interface LinearHead {
  /** classes × width, row-major. */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** Disjoint pairs of features, each turned by an angle from U(−maxAngle, maxAngle). At most ⌊width/2⌋ of them. */
export function drawRotations(random: Random, width: number, count: number, maxAngle: number): GivensRotation[] {
  const order = random.permutation(width);
  return Array.from({ length: Math.min(count, Math.floor(width / 2)) }, (_, r) => {
    const angle = (2 * random.uniform() - 1) * maxAngle;
    return {
      a: order[2 * r] as number,
      b: order[2 * r + 1] as number,
      cosine: Math.cos(angle),
      sine: Math.sin(angle),
    };
  });
}

/** v ← Qv, or Qᵀv. */
export function rotate(v: Float64Array, rotations: readonly GivensRotation[], transposed = false): void {
  for (const { a, b, cosine, sine } of rotations) {
    const [va, vb, s] = [v[a] as number, v[b] as number, transposed ? -sine : sine];
    v[a] = cosine * va - s * vb;
    v[b] = s * va + cosine * vb;
  }
}

export interface RotationTerm {
  /** R_rot. */
  readonly value: number;
  readonly weight: Float64Array;
  readonly bias: Float64Array;
  /** size × width. */
  readonly features: Float64Array;
}

/**
 * R_rot = (1/B)Σ_x KL(softmax(h(z)) ‖ softmax(h(Qz))), the first softmax a constant, with its gradients with respect to the head and to z
 * (spec B8.3b). O(B·width·classes).
 */
export function rotationTerm(
  { weight, bias }: LinearHead,
  features: Float32Array,
  rotations: readonly GivensRotation[],
): RotationTerm {
  const classes = bias.length;
  const width = weight.length / classes;
  const size = features.length / width;
  const term = {
    value: 0,
    weight: new Float64Array(weight.length),
    bias: new Float64Array(classes),
    features: new Float64Array(features.length),
  };
  for (let b = 0; b < size; b++) {
    const z = Float64Array.from(row(features, b, width));
    const target = probabilities(headOf({ weight, bias }, z));
    rotate(z, rotations);
    const turned = probabilities(headOf({ weight, bias }, z));
    const back = new Float64Array(width);
    for (let c = 0; c < classes; c++) {
      const [p, q] = [target[c] as number, turned[c] as number];
      if (p > 0) term.value += (p * Math.log(p / q)) / size;
      const slope = (q - p) / size;
      term.bias[c] = (term.bias[c] as number) + slope;
      for (let i = 0; i < width; i++) {
        const place = c * width + i;
        term.weight[place] = (term.weight[place] as number) + slope * (z[i] as number);
        back[i] = (back[i] as number) + slope * (weight[place] as number);
      }
    }
    rotate(back, rotations, true);
    term.features.set(back, b * width);
  }
  return term;
}

function headOf({ weight, bias }: LinearHead, z: ArrayLike<number>): Float64Array {
  return Float64Array.from(bias, (value, c) => {
    let sum = value;
    for (let i = 0; i < z.length; i++) sum += (weight[c * z.length + i] as number) * (z[i] as number);
    return sum;
  });
}
