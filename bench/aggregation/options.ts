// SPDX-License-Identifier: Apache-2.0
import { InvalidArgumentError } from "commander";
import { KERNELS, RULES } from "./work.ts";

/** 400 MB of updates are held, at least 1e6 coordinates of each. */
const MOST_UPDATES = 100;
const MOST_COORDINATES = 100_000_000;
const MOST_THREADS = 256;

/** A parser of whole numbers within bounds, separated by commas; what is named twice counts once. */
const wholes =
  (what: string, most: number) =>
  (text: string): number[] => {
    const values = text.split(",").map(Number);
    if (values.some((value) => !Number.isInteger(value) || value < 1 || value > most))
      throw new InvalidArgumentError(`Write ${what} as whole numbers from 1 to ${most}, separated by commas.`);
    return [...new Set(values)];
  };

export const parseUpdates = wholes("numbers of updates", MOST_UPDATES);
export const parseThreads = wholes("numbers of threads", MOST_THREADS);

const coordinates = wholes("numbers of coordinates", MOST_COORDINATES);
export function parseCoordinates(text: string): number[] {
  const values = coordinates(text);
  if (values.some((d) => d % 100_000 !== 0 || (d > 1_000_000 && d % 1_000_000 !== 0)))
    throw new InvalidArgumentError("Write multiples of 1e5, and of 1e6 above that: data is swept in chunks of 1e6.");
  return values;
}

interface Named {
  readonly name: string;
}

const hasPart = ({ name }: Named, part: string): boolean => name.toLowerCase().includes(part);

/** Those whose names contain one of the parts; all of them if none is given. */
export const chosen = <T extends Named>(all: readonly T[], parts: readonly string[] | undefined): T[] =>
  all.filter((work) => parts === undefined || parts.some((part) => hasPart(work, part)));

/** Parts of names in lower case, each in at least one name. */
export function parseNames(text: string): string[] {
  const works: readonly Named[] = [...KERNELS, ...RULES];
  return text.split(",").map((written) => {
    const part = written.trim().toLowerCase();
    if (part === "" || !works.some((work) => hasPart(work, part)))
      throw new InvalidArgumentError(
        `No kernel or rule has "${part}" in its name. There are:\n${works.map(({ name }) => `  ${name}`).join("\n")}`,
      );
    return part;
  });
}
