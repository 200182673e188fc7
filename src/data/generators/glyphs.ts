// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Random } from "../../protocol/random.ts";
import type { Part } from "../loadedData.ts";
import { between, clientCount, type Generator, sizes } from "./generator.ts";
import { GLYPHS, type Point, PRIMITIVES, type Stroke } from "./glyphStrokes.ts";

const schema = z.strictObject({
  name: z.literal("s-glyph"),
  ...sizes(4000, 1000),
  clients: clientCount,
  size: z.literal([14, 28]).default(14),
  /** Clients with an odd number draw sketches, six further classes, instead of glyphs. */
  sketch: z.boolean().default(false),
  /** How far clients' styles and samples' jitter reach; 0 draws every glyph alike. */
  variation: z.number().min(0).max(3).default(1),
});

/** How one client writes. Angles and shears are small, so a linear form of the rotation is exact enough and stays cheap. */
interface Style {
  readonly shear: number;
  readonly width: number;
  readonly height: number;
  readonly thickness: number;
}

const HALF_THICKNESS = 0.05;
const BLURRED = 0.25;
const OCCLUDED = 0.15;

/**
 * S-GLYPH (spec H0): 36 glyphs drawn as strokes, with 1/l and 0/O as hard pairs. A client's style is a shear, scales and a thickness; every
 * sample is jittered (shift, turn, points), some are blurred, some partly covered. With `sketch`, half of the clients draw six kinds of
 * primitives, each with a stray second stroke, in place of glyphs.
 */
export const glyphs: Generator<typeof schema> = {
  schema,
  naturalClients: "the generator's writers, each with a style",
  generate({ name, samples, testSamples, clients, size, sketch, variation }, random) {
    const styles = Array.from({ length: clients }, (_, client): Style => {
      const stream = random.derive("style", client);
      return {
        shear: variation * between(stream, -0.25, 0.25),
        width: 1 + variation * between(stream, -0.25, 0.1),
        height: 1 + variation * between(stream, -0.2, 0.05),
        thickness: HALF_THICKNESS * (1 + variation * between(stream, -0.4, 0.6)),
      };
    });
    const glyphStrokes = Object.values(GLYPHS);
    const drawings = sketch ? [...glyphStrokes, ...Object.values(PRIMITIVES)] : glyphStrokes;
    const write = (count: number, stream: Random): Required<Part> => {
      const features = new Float32Array(count * size * size);
      const labels = new Int32Array(count);
      const owners = Array.from({ length: count }, (_, i) => i % clients);
      for (let i = 0; i < count; i++) {
        const client = owners[i] as number;
        const sketches = sketch && client % 2 === 1;
        labels[i] = sketches
          ? glyphStrokes.length + stream.integerBelow(drawings.length - glyphStrokes.length)
          : stream.integerBelow(glyphStrokes.length);
        const strokes = [...(drawings[labels[i] as number] as readonly Stroke[])];
        if (sketches) strokes.push(strayStroke(stream));
        features.set(drawSample(strokes, styles[client] as Style, size, variation, stream), i * size * size);
      }
      return {
        dataset: { features, labels, inputs: size * size, classes: drawings.length, size: count },
        clients: owners,
      };
    };
    const train = write(samples, random.derive("train"));
    const test = write(testSamples, random.derive("test"));
    return {
      name,
      kind: "image",
      shape: [1, size, size],
      classNames: [...Object.keys(GLYPHS), ...(sketch ? Object.keys(PRIMITIVES) : [])],
      clientNames: Array.from({ length: clients }, (_, client) => `writer ${client}`),
      train: train.dataset,
      test: test.dataset,
      clients: train.clients,
      testClients: test.clients,
      notes: [`${size} × ${size} pixels of 0 … 1; ${sketch ? "every second client draws sketches" : "glyphs only"}.`],
    };
  },
};

function strayStroke(random: Random): Stroke {
  const point = (): Point => [random.uniform(), random.uniform()];
  return [point(), point()];
}

function drawSample(
  strokes: readonly Stroke[],
  style: Style,
  size: number,
  variation: number,
  random: Random,
): Float32Array {
  const turn = variation * 0.1 * random.normal();
  const [dx, dy] = [variation * between(random, -0.06, 0.06), variation * between(random, -0.06, 0.06)];
  const moved = strokes.map((stroke) =>
    stroke.map(([x, y]): Point => {
      const u = (x - 0.5) * style.width + variation * 0.012 * random.normal();
      const v = (y - 0.5) * style.height + variation * 0.012 * random.normal();
      const sheared = u - style.shear * v;
      return [0.5 + sheared - turn * v + dx, 0.5 + v + turn * sheared + dy];
    }),
  );
  const image = render(moved, style.thickness, size);
  if (random.uniform() < BLURRED * Math.min(1, variation)) blur(image, size);
  if (random.uniform() < OCCLUDED * Math.min(1, variation)) cover(image, size, random);
  return image;
}

/** Ink by distance to the nearest stroke: 1 within the half thickness, falling to 0 over one pixel. A margin of 1/14 stays free. */
function render(strokes: readonly Stroke[], halfThickness: number, size: number): Float32Array {
  const image = new Float32Array(size * size);
  const margin = 1 / 14;
  const scale = 1 - 2 * margin;
  const pixel = 1 / (size * scale);
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      const x = ((column + 0.5) / size - margin) / scale;
      const y = ((row + 0.5) / size - margin) / scale;
      const ink = 0.5 + (halfThickness - distanceTo(strokes, x, y)) / pixel;
      image[row * size + column] = Math.max(0, Math.min(1, ink));
    }
  return image;
}

function distanceTo(strokes: readonly Stroke[], x: number, y: number): number {
  let nearest = Number.POSITIVE_INFINITY;
  for (const stroke of strokes)
    for (let i = 1; i < stroke.length; i++) {
      const [ax, ay] = stroke[i - 1] as Point;
      const [bx, by] = stroke[i] as Point;
      const [ux, uy] = [bx - ax, by - ay];
      const length = ux * ux + uy * uy;
      const t = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - ax) * ux + (y - ay) * uy) / length));
      const [ex, ey] = [x - ax - t * ux, y - ay - t * uy];
      nearest = Math.min(nearest, ex * ex + ey * ey);
    }
  return Math.sqrt(nearest);
}

/** The mean of 3 × 3 pixels; outside is 0. */
function blur(image: Float32Array, size: number): void {
  const before = image.slice();
  const at = (row: number, column: number): number =>
    row < 0 || column < 0 || row >= size || column >= size ? 0 : (before[row * size + column] as number);
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      let sum = 0;
      for (let i = -1; i <= 1; i++) for (let j = -1; j <= 1; j++) sum += at(row + i, column + j);
      image[row * size + column] = sum / 9;
    }
}

/** Nothing is seen of a random rectangle of a third of the side. */
function cover(image: Float32Array, size: number, random: Random): void {
  const side = Math.floor(size / 3);
  const [top, left] = [random.integerBelow(size - side + 1), random.integerBelow(size - side + 1)];
  for (let row = top; row < top + side; row++) image.fill(0, row * size + left, row * size + left + side);
}
