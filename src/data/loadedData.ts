// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../protocol/dataset.ts";
import type { Random } from "../protocol/random.ts";
import { DataError } from "./errors.ts";
import { subset } from "./subset.ts";

/** Samples and, where the data set has natural clients, whose each one is. */
export interface Part {
  readonly dataset: Dataset;
  /** Client index per sample, into `clientNames`. */
  readonly clients?: readonly number[];
}

/** How the features of a sample are to be read. */
export type SampleKind =
  /** shape [channels, height, width]. */
  | "image"
  /** shape [steps, channels], step by step. */
  | "series"
  /** shape [length]: token ids, 0 padding, as numbers. */
  | "tokens"
  /** shape [columns]. */
  | "table";

/** A data set as an experiment uses it. */
export interface LoadedData {
  readonly name: string;
  readonly kind: SampleKind;
  /** Shape of one sample, row-major; its product is `train.inputs`. */
  readonly shape: readonly number[];
  readonly classNames: readonly string[];
  readonly train: Dataset;
  readonly test: Dataset;
  /** Natural client of each training sample. */
  readonly clients?: readonly number[];
  /** Natural client of each test sample, where test samples come from the same clients. */
  readonly testClients?: readonly number[];
  readonly clientNames?: readonly string[];
  /** Token ids are below this. Only for tokens. */
  readonly vocabulary?: number;
  /** The same task after a change of distribution: what an experiment switches to halfway. */
  readonly shifted?: { readonly train: Dataset; readonly test: Dataset };
  /** How the samples were made from the files, in sentences. */
  readonly notes: readonly string[];
}

/** A data set before the choice of samples. */
export interface WholeData extends Omit<LoadedData, "train" | "test" | "clients" | "testClients" | "shifted"> {
  readonly train: Part;
  readonly test: Part;
}

/**
 * Keeps a uniform choice of samples of both parts, in their order. Preprocessing is fitted to the whole training part before, so
 * that a sample's features do not depend on how many are kept.
 *
 * @throws DataError CANNOT_DEAL when more are asked for than there are.
 */
export function choose(
  { train, test, ...rest }: WholeData,
  { samples, testSamples }: { readonly samples?: number | undefined; readonly testSamples?: number | undefined },
  random: Random,
): LoadedData {
  const kept = takeSome(rest.name, "training", train, samples, random.derive("choose", "train"));
  const tested = takeSome(rest.name, "test", test, testSamples, random.derive("choose", "test"));
  return {
    ...rest,
    train: kept.dataset,
    test: tested.dataset,
    ...(kept.clients && { clients: kept.clients }),
    ...(tested.clients && { testClients: tested.clients }),
  };
}

function takeSome(name: string, what: string, part: Part, count: number | undefined, random: Random): Part {
  const { size } = part.dataset;
  if (count === undefined || count === size) return part;
  if (count > size)
    throw new DataError("CANNOT_DEAL", `${name} has ${size} ${what} samples, not ${count}. Ask for at most ${size}.`, {
      size,
      count,
    });
  return pick(
    part,
    random
      .permutation(size)
      .slice(0, count)
      .sort((a, b) => a - b),
  );
}

/** The samples at the given indices, with their clients. */
export function pick({ dataset, clients }: Part, indices: readonly number[]): Part {
  return {
    dataset: subset(dataset, indices),
    ...(clients && { clients: indices.map((index) => clients[index] as number) }),
  };
}

/**
 * Sets ⌈share · n⌉ uniformly chosen samples of every client aside as test samples, or of the whole where there are no clients. A
 * client keeps at least one sample for training.
 */
export function splitByClient(
  part: Part,
  share: number,
  random: Random,
): { readonly train: Part; readonly test: Part } {
  const groups = new Map<number, number[]>();
  for (let i = 0; i < part.dataset.size; i++) {
    const client = part.clients?.[i] ?? 0;
    const group = groups.get(client);
    if (group === undefined) groups.set(client, [i]);
    else group.push(i);
  }
  const tested = new Set<number>();
  for (const [client, samples] of groups) {
    const count = Math.min(Math.ceil(share * samples.length), samples.length - 1);
    for (const index of random.derive("hold out", client).shuffled(samples).slice(0, count)) tested.add(index);
  }
  const indices = Array.from({ length: part.dataset.size }, (_, i) => i);
  return {
    train: pick(
      part,
      indices.filter((i) => !tested.has(i)),
    ),
    test: pick(
      part,
      indices.filter((i) => tested.has(i)),
    ),
  };
}
