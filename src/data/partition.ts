// SPDX-License-Identifier: Apache-2.0

/** How an experiment deals its training samples to members. */

import { z } from "zod";
import type { Dataset } from "../protocol/dataset.ts";
import type { Random } from "../protocol/random.ts";
import { dealDirichlet, dealIid, dealShards } from "./deal.ts";
import { dealLabelImbalance } from "./dealLabelImbalance.ts";
import { dealNatural } from "./dealNatural.ts";
import { dealQuantity } from "./dealQuantity.ts";
import { DataError } from "./errors.ts";
import type { Deal } from "./hands.ts";
import { subset } from "./subset.ts";

const MOST = 1_000_000;
const minSamples = z.int().min(0).max(MOST).default(10);

export const partitionSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("iid") }),
  z.strictObject({ kind: z.literal("shards"), shardsPerMember: z.int().min(1).max(10_000).default(2) }),
  z.strictObject({ kind: z.literal("dirichlet"), alpha: z.number().min(1e-3).max(1e6), minSamples }),
  z.strictObject({
    kind: z.literal("natural"),
    minSamples: z.int().min(1).max(MOST).default(10),
    assign: z.enum(["one", "group"]).default("one"),
  }),
  z.strictObject({ kind: z.literal("label-imbalance"), ratio: z.number().min(0).max(1) }),
  z.strictObject({ kind: z.literal("quantity"), sigma: z.number().min(0).max(5).default(1), minSamples }),
]);

export type PartitionConfig = z.output<typeof partitionSchema>;

/** Training samples and, for a natural partition, whose each one is. */
export interface Dealable {
  readonly name: string;
  readonly train: Dataset;
  readonly clients?: readonly number[];
}

/**
 * Each member's training samples, as indices into the whole.
 *
 * @throws DataError CANNOT_DEAL with the values that do not fit, also for a natural partition of data without natural clients.
 */
export function partitionIndices(data: Dealable, members: number, config: PartitionConfig, random: Random): Deal {
  switch (config.kind) {
    case "iid":
      return dealIid(data.train, members, random);
    case "shards":
      return dealShards(data.train, members, config.shardsPerMember, random);
    case "dirichlet":
      return dealDirichlet(data.train, members, config, random);
    case "natural":
      return dealNatural(clientsOf(data), members, config, random);
    case "label-imbalance":
      return dealLabelImbalance(data.train, members, config.ratio, random);
    case "quantity":
      return dealQuantity(data.train, members, config, random);
  }
}

/** The same as datasets. Equal streams deal equally. */
export function partition(data: Dealable, members: number, config: PartitionConfig, random: Random): Dataset[] {
  return partitionIndices(data, members, config, random).map((indices) => subset(data.train, indices));
}

/**
 * How many members a natural partition can have.
 *
 * @throws DataError CANNOT_DEAL for data without natural clients.
 */
export function countNaturalClients(data: Dealable, minSamples: number): number {
  const sizes = new Map<number, number>();
  for (const client of clientsOf(data)) sizes.set(client, (sizes.get(client) ?? 0) + 1);
  return [...sizes.values()].filter((size) => size >= minSamples).length;
}

function clientsOf({ name, clients }: Dealable): readonly number[] {
  if (clients !== undefined) return clients;
  throw new DataError(
    "CANNOT_DEAL",
    `${name} has no natural clients. Deal it by iid, shards, dirichlet, label-imbalance or quantity.`,
    { name },
  );
}
