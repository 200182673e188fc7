// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";
import { squaredNorm } from "../protocol/exactNorm.ts";
import type { NoiseStage } from "../protocol/noiseStage.ts";
import { clip } from "./clip.ts";
import { formOf, keepsResidual } from "./codecs.ts";
import { type EncodeTarget, encodeWithin, unbiased } from "./encodeWithin.ts";
import type { PreparedUpdate } from "./preparedUpdate.ts";
import { emptyResidual, unsaid } from "./residual.ts";
import { largestMagnitudes } from "./sparseIndices.ts";

/** A private update between its clip and its noise. */
interface Clipped {
  /** Within C and the run's bounds, grid units. */
  readonly values: Float64Array;
  readonly coordinates: number;
  readonly factor: number;
}

/** Runs the stages of spec D8 in the order that the pipeline names. The residual never contains noise. */
export function preparePrivately(wanted: Float64Array, target: EncodeTarget, noise: NoiseStage): PreparedUpdate {
  if (noise.pipeline === "P1") return compressThenNoise(wanted, target, noise);
  return noise.pipeline === "P2" ? noiseThenCompress(wanted, target, noise) : asPrinted(wanted, target, noise);
}

/** P1: clip, compress, noise on the coordinates that the codec has for everybody; in a central deployment no noise here. */
function compressThenNoise(wanted: Float64Array, target: EncodeTarget, noise: NoiseStage): PreparedUpdate {
  const { codec, layout, bounds } = target;
  if (formOf(codec).support.kind === "listed") {
    throw new ConfigError(
      `${codec.name} chooses coordinates by the data, and noise on those alone protects nothing: which they are tells of the data. Use rand-k or a dense codec, or local noise before top-k (P2).`,
      { codec: codec.name },
    );
  }
  if (noise.addNoise !== undefined) requireNoiseKept(target);
  const { values, coordinates, factor } = clipTo(unbiased(wanted, target), target, noise);
  const maxNormSq = bounds.maxNormSq < noise.maxNormSq ? bounds.maxNormSq : noise.maxNormSq;
  const clean = encodeWithin(values, { ...target, bounds: { ...bounds, maxNormSq } });
  const nextResidual =
    noise.errorFeedback && keepsResidual(codec) ? unsaid(values, clean.decoded) : emptyResidual(layout);
  const result = { nextResidual, clippedCoordinates: coordinates, clipFactor: factor * clean.factor };
  if (noise.addNoise === undefined) return { payload: clean.payload, decoded: clean.decoded, ...result };
  const noisy = Float64Array.from(clean.decoded);
  noise.addNoise(noisy, layout, clean.support);
  return { ...encodeNoisy(noisy, target), ...result };
}

/** P2: clip, noise on every coordinate, then compression of what is private already. */
function noiseThenCompress(wanted: Float64Array, target: EncodeTarget, noise: NoiseStage): PreparedUpdate {
  const { codec, layout } = target;
  const { values, coordinates, factor } = clipTo(wanted, target, noise);
  const noisy = integersWithin(values, target, noise);
  addTo(noisy, target, noise);
  const encoded = encodeNoisy(unbiased(noisy, target), target);
  const nextResidual = emptyResidual(layout);
  if (noise.errorFeedback && keepsResidual(codec) && encoded.support !== undefined) {
    // p − mask⊙p with the mask of the noisy vector: what the member did not say at all. Private, since the next clip bounds what it leads to.
    nextResidual.set(values);
    for (const j of encoded.support) nextResidual[j] = 0;
  }
  const { payload, decoded } = encoded;
  return { payload, decoded, nextResidual, clippedCoordinates: coordinates, clipFactor: factor };
}

/** DSAIN as printed, but for its clip and its error feedback, which are right here: top-k, then noise on all coordinates. */
function asPrinted(wanted: Float64Array, target: EncodeTarget, noise: NoiseStage): PreparedUpdate {
  const { codec, layout } = target;
  requireNoiseKept(target);
  if (noise.keep === undefined || formOf(codec).support.kind !== "all")
    throw new ConfigError(
      `The paper's pipeline makes every coordinate noisy, and ${codec.name} does not send them all: use a dense codec.`,
    );
  const { values, coordinates, factor } = clipTo(wanted, target, noise);
  const integers = integersWithin(values, target, noise);
  const kept = new Float64Array(layout.size);
  for (const j of largestMagnitudes(Int32Array.from(integers), Math.min(noise.keep, layout.size)))
    kept[j] = integers[j] as number;
  const nextResidual = noise.errorFeedback
    ? values.map((value, j) => value - (kept[j] as number))
    : emptyResidual(layout);
  addTo(kept, target, noise);
  const { payload, decoded } = encodeNoisy(kept, target);
  return { payload, decoded, nextResidual, clippedCoordinates: coordinates, clipFactor: factor };
}

/** Noise has full rank, so a product of few factors would lose most of it, and with it the members' share of the sum's noise. */
function requireNoiseKept({ codec }: EncodeTarget): void {
  if (formOf(codec).values.kind !== "lowRank") return;
  throw new ConfigError(
    `${codec.name} sends products of few factors, and noise has full rank: most of it would be lost after it was added. Use a dense codec or rand-k.`,
    { codec: codec.name },
  );
}

/** The run's bounds on coordinates and norm, then C: each only shrinks. */
function clipTo(values: Float64Array, { master, layout, bounds }: EncodeTarget, noise: NoiseStage): Clipped {
  const clipped = clip(values, master, layout, bounds);
  const factor = noise.clip(clipped.values, layout);
  return { values: clipped.values, coordinates: clipped.coordinates, factor: clipped.factor * factor };
}

/** Rounded toward zero, and exactly within C: float64 may have left the clip a last bit above it. */
function integersWithin(values: Float64Array, { layout }: EncodeTarget, { maxNormSq }: NoiseStage): Float64Array {
  for (let shrink = 1; ; shrink *= 1 - 2 ** -20) {
    // + 0 makes −0 the integer 0.
    const integers = values.map((value) => Math.trunc(value * shrink) + 0);
    if (squaredNorm(integers, layout) <= maxNormSq) return integers;
  }
}

/** In P2 and after it noise is what the deployment is about. */
function addTo(values: Float64Array, { layout }: EncodeTarget, noise: NoiseStage): void {
  if (noise.addNoise === undefined)
    throw new ConfigError(`Pipeline ${noise.pipeline} needs noise of the member; where the server adds it, use P1.`);
  noise.addNoise(values, layout);
}

/** Back to what the run admits, which reads nothing but what is private already. */
function encodeNoisy(noisy: Float64Array, target: EncodeTarget): Omit<ReturnType<typeof encodeWithin>, "factor"> {
  const { master, layout, bounds, random } = target;
  const { values } = clip(noisy, master, layout, bounds);
  const { payload, decoded, support } = encodeWithin(values, { ...target, random: random?.derive("noisy") });
  return { payload, decoded, support };
}
