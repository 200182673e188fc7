// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { type CodecConfig, codecSchema } from "../../protocol/recipe/codecConfig.ts";
import { positiveInteger } from "../../protocol/recipe/numbers.ts";
import { type PrivacyConfig, privacySchema } from "../../protocol/recipe/privacyConfig.ts";

/**
 * Counts of coordinates as a cell states them: as a recipe does, or as a share of a model whose size only its data tell. A recipe that is published has
 * counts.
 */
const counts = {
  keep: positiveInteger.optional(),
  /** γ: keep = max(1, round(γ·d)), d the coordinates that travel. */
  keepShare: z.number().positive().max(1).optional(),
};

interface Counted {
  readonly keep?: number | undefined;
  readonly keepShare?: number | undefined;
}

/** Whether one of both is stated where a count is needed; elsewhere neither can be. */
export function countedOnce(config: { readonly name: string } & Counted): boolean {
  return !COUNTED.test(config.name) || (config.keep === undefined) !== (config.keepShare === undefined);
}
const COUNTED = /^(?:topk|randk|paper)/;

export const COUNT_ONCE = {
  path: ["keep"],
  error:
    "say either keep, a number of coordinates, or keepShare, their share of the model; null takes one away that was said before",
};

const [dense, topk, randk, ...others] = codecSchema.options;

/** As codecSchema, but for shares; {@link countedOnce} is still to be checked. */
export const statedCodecSchema = z.discriminatedUnion("name", [
  dense,
  topk.extend(counts),
  randk.extend(counts),
  ...others,
]);

const [none, local, ...withoutCounts] = privacySchema.options;
const [noisyFirst, paper] = local.shape.pipeline.options;

/** As privacySchema, but for shares. */
export const statedPrivacySchema = z.discriminatedUnion("mode", [
  none,
  local.extend({
    pipeline: z.discriminatedUnion("name", [noisyFirst, paper.extend(counts)]).refine(countedOnce, COUNT_ONCE),
  }),
  ...withoutCounts,
]);

type StatedCodec = z.infer<typeof statedCodecSchema>;

interface Stated {
  readonly update: {
    readonly codec: StatedCodec;
    readonly downlink?: (StatedCodec & { readonly history: number }) | undefined;
  };
  readonly privacy?: z.infer<typeof statedPrivacySchema> | undefined;
}

/** A cell whose shares have become counts. */
export type Sized<C extends Stated> = Omit<C, "update" | "privacy"> & {
  readonly update: Omit<C["update"], "codec" | "downlink"> & {
    readonly codec: CodecConfig;
    readonly downlink?: (CodecConfig & { readonly history: number }) | undefined;
  };
  readonly privacy?: PrivacyConfig | undefined;
};

/** @param size d, coordinates that travel. */
export function sized<C extends Stated>(cell: C, size: number): Sized<C> {
  const { update, privacy } = cell;
  const local = privacy?.mode === "local" ? privacy : undefined;
  return {
    ...cell,
    update: {
      ...update,
      codec: counted(update.codec, size),
      ...(update.downlink === undefined ? {} : { downlink: counted(update.downlink, size) }),
    },
    ...(local === undefined ? {} : { privacy: { ...local, pipeline: counted(local.pipeline, size) } }),
  } as unknown as Sized<C>;
}

function counted<T extends object>(config: T & Counted, size: number): T {
  const { keepShare, ...rest } = config;
  if (keepShare === undefined) return config;
  return { ...rest, keep: Math.max(1, Math.round(keepShare * size)) } as unknown as T;
}
