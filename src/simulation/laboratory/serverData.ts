// SPDX-License-Identifier: Apache-2.0
import type { LoadedData } from "../../data/loadedData.ts";
import { subset } from "../../data/subset.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { ConfigError } from "../../protocol/errors.ts";
import type { Random } from "../../protocol/random.ts";

/** Samples that the server keeps for itself; members never see them. */
export interface ServerData {
  /** Labelled: root set, proxy set; unlabelled where labels are not read. */
  readonly trusted?: Dataset;
  /** Labelled, to choose and stop by. */
  readonly validation?: Dataset;
  /** What is left for the members. */
  readonly rest: LoadedData;
}

/**
 * Takes the server's samples out of the training data, uniformly chosen.
 *
 * @throws ConfigError when nothing would be left for the members.
 */
export function takeServerData(
  data: LoadedData,
  { samples, validation }: { readonly samples: number; readonly validation: number },
  random: Random,
): ServerData {
  const taken = samples + validation;
  if (taken === 0) return { rest: data };
  const { train, clients } = data;
  if (taken >= train.size)
    throw new ConfigError(`The server wants ${taken} of ${train.size} training samples; leave some to the members.`, {
      samples,
      validation,
      available: train.size,
    });
  const order = random.permutation(train.size);
  const ascending = (indices: readonly number[]): number[] => indices.toSorted((a, b) => a - b);
  const left = ascending(order.slice(taken));
  return {
    ...(samples === 0 ? {} : { trusted: subset(train, ascending(order.slice(0, samples))) }),
    ...(validation === 0 ? {} : { validation: subset(train, ascending(order.slice(samples, taken))) }),
    rest: {
      ...data,
      train: subset(train, left),
      ...(clients === undefined ? {} : { clients: left.map((index) => clients[index] as number) }),
    },
  };
}
