// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { DataError } from "../errors.ts";

/** One user's samples: bytes, `pixels` per sample, and their labels. */
export interface LeafUser {
  readonly user: string;
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}

/** Pixels are divided by 255 when LEAF writes them, with 16 digits. */
const ROUNDING = 1e-6;

/**
 * A file of LEAF's FEMNIST (Caldas et al. 2018): users, num_samples and user_data, by user x (images of pixels 0 … 1, row-major) and y. What
 * user_data holds of users that are not listed is passed over, as LEAF does with those it has dropped.
 *
 * @param inputs pixels of an image.
 * @throws DataError BAD_FORMAT: no JSON; BAD_ROW: another structure, pixels that are no n/255, labels out of range, counts that contradict one another.
 */
export function parseLeafImages(text: string, source: string, inputs: number, classes: number): readonly LeafUser[] {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new DataError(
      "BAD_FORMAT",
      `${source} is not JSON: ${(cause as Error).message}. Make it again.`,
      { source },
      cause,
    );
  }
  const parsed = leafSchema(inputs, classes).safeParse(content);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = issue?.path.join(".") || "the whole";
    throw new DataError("BAD_ROW", `${source}, ${place}: ${issue?.message}. It is no file of LEAF's FEMNIST.`, {
      source,
      place,
    });
  }
  const { users, num_samples: counts, user_data: data } = parsed.data;
  if (counts.length !== users.length)
    throw new DataError("BAD_ROW", `${source} has ${users.length} users and ${counts.length} numbers of samples.`, {
      source,
    });
  return users.map((user, i) => {
    const own = Object.hasOwn(data, user) ? data[user] : undefined;
    if (own === undefined || own.x.length !== counts[i] || own.y.length !== counts[i])
      throw new DataError(
        "BAD_ROW",
        `${source}: user ${user} should have ${counts[i]} samples, and has ${own?.x.length ?? "no"} images and ${own?.y.length ?? "no"} labels.`,
        { source, user },
      );
    return { user, pixels: bytesOf(own.x, inputs), labels: Uint8Array.from(own.y) };
  });
}

function leafSchema(inputs: number, classes: number) {
  // One check for an image: zod by the pixel would take minutes for a file.
  const image = z.custom<readonly number[]>((value) => isImage(value, inputs), {
    error: `not an image of ${inputs} pixels n/255 from 0 to 1`,
  });
  const samples = z.looseObject({
    x: z.array(image),
    y: z.array(
      z
        .int()
        .min(0)
        .max(classes - 1),
    ),
  });
  return z.looseObject({
    users: z.array(z.string().min(1)),
    num_samples: z.array(z.int().min(0)),
    user_data: z.record(z.string(), samples),
  });
}

function isImage(value: unknown, inputs: number): boolean {
  if (!Array.isArray(value) || value.length !== inputs) return false;
  for (const pixel of value as readonly unknown[]) {
    if (typeof pixel !== "number" || !(pixel >= 0 && pixel <= 1)) return false;
    if (Math.abs(pixel * 255 - Math.round(pixel * 255)) > ROUNDING) return false;
  }
  return true;
}

function bytesOf(images: readonly (readonly number[])[], inputs: number): Uint8Array {
  const bytes = new Uint8Array(images.length * inputs);
  for (const [i, image] of images.entries())
    for (let p = 0; p < inputs; p++) bytes[i * inputs + p] = Math.round((image[p] as number) * 255);
  return bytes;
}
