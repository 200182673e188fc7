// SPDX-License-Identifier: Apache-2.0
import { tierOf } from "../learning/algorithms/resourceTier.ts";
import { initialiseParameters } from "../learning/layout.ts";
import { measureResource } from "../learning/measureResource.ts";
import type { Model } from "../learning/model.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { ConfigError } from "../protocol/errors.ts";
import type { Logger } from "../protocol/logger.ts";
import type { Random } from "../protocol/random.ts";
import type { ClientConfig } from "../protocol/recipe/clientConfig.ts";
import type { RunContext } from "../round/runContext.ts";
import type { NodeConfig } from "./options.ts";

/** What a resource is measured with. */
export interface ResourceSurroundings {
  readonly run: {
    readonly params: Pick<RunContext["params"], "commitBlocks">;
    readonly recipe: Pick<RunContext["recipe"], "client" | "training">;
  };
  readonly model: Model;
  readonly shard: Dataset;
  /** Draws the parameters and the order of batches; a stream that no round uses. */
  readonly random: Random;
  /** Seconds between blocks; undefined where the chain does not say. */
  readonly blockSeconds: () => Promise<number | undefined>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Milliseconds, for tests; left out: the machine's clock. */
  readonly now?: () => number;
}

/**
 * What this member's machine can do (`LocalTask.resource`): the operator's number, or with `measured` that of a calibration before the first round, for
 * which the commit phase is the deadline, as long as its blocks take on the chain at present. Nothing is measured for a recipe that does not ask.
 *
 * @throws ConfigError where the chain does not tell seconds. LearningError as `measureResource`.
 */
export async function memberResource(
  stated: NodeConfig["resource"],
  { run, model, shard, random, blockSeconds, logger, signal, now = () => performance.now() }: ResourceSurroundings,
): Promise<number | undefined> {
  const { client, training } = run.recipe;
  const follows = consequenceOf(client, model.config.classes);
  if (follows === undefined) {
    if (stated === "measured") logger.info({}, "the recipe does not ask what this machine can do: nothing is measured");
    return stated === "measured" ? undefined : stated;
  }
  if (stated === undefined) return undefined;
  if (stated !== "measured") {
    logger.info({ resource: stated, ...follows(stated) }, "what this machine can do, as its operator says");
    return stated;
  }
  const { commitBlocks } = run.params;
  const seconds = await blockSeconds();
  if (seconds === undefined)
    throw new ConfigError(
      `resource: measured needs to know how long a round's ${commitBlocks} blocks for training take, and this chain has made too few blocks, or all at one time: state a number, e.g. resource: 2.5.`,
      { commitBlocks },
    );
  const deadlineSeconds = commitBlocks * seconds;
  const parameters = initialiseParameters(model.config, random);
  const measured = await measureResource({
    model,
    plan: training,
    shard,
    parameters,
    random,
    deadlineSeconds,
    now,
    signal,
  });
  logger.info({ ...measured, deadlineSeconds, ...follows(measured.resource) }, "measured what this machine can do");
  return measured.resource;
}

/** What a resource decides, for the log; undefined for algorithms that do not read it. */
function consequenceOf(
  client: ClientConfig | undefined,
  classes: number,
): ((resource: number) => Readonly<Record<string, unknown>>) | undefined {
  if (client?.name === "hmsdfl" && client.tiers !== undefined) {
    const { tiers } = client;
    return (resource) => ({ tier: tierOf(resource, classes, tiers) });
  }
  if (client?.name === "fedprox" && client.partialWork) return (resource) => ({ shareOfSteps: Math.min(1, resource) });
  return undefined;
}
