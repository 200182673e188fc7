// SPDX-License-Identifier: Apache-2.0
import { blockSeconds } from "../chain/blockSeconds.ts";
import type { ParticipantKeys } from "../chain/keys.ts";
import { localAlgorithm } from "../learning/algorithms/table.ts";
import { openParticipant, type Surroundings } from "../process/openParticipant.ts";
import { loadOwnData } from "../process/ownData.ts";
import { requireLayout } from "../process/requireLayout.ts";
import { concatBytes, toHex } from "../protocol/bytes.ts";
import type { ContentStore } from "../protocol/contentStore.ts";
import { ConfigError } from "../protocol/errors.ts";
import { keccak256, tag } from "../protocol/hash.ts";
import type { LedgerReader } from "../protocol/ledger.ts";
import { keyedRandom } from "../protocol/random.ts";
import { recordPrivateTraining } from "../round/recordPrivateTraining.ts";
import { openEngine } from "./engine.ts";
import { localTraining, type TrainingStream } from "./localTraining.ts";
import { openMemberPrivacy } from "./memberPrivacy.ts";
import { memberResource } from "./memberResource.ts";
import type { NodeContext } from "./nodeContext.ts";
import { NodeState } from "./nodeState.ts";
import type { NodeConfig } from "./options.ts";

export interface NodeSurroundings extends Surroundings {
  /** In place of the configuration's seed, for a simulation that trains on the same draws elsewhere. */
  readonly trainingStream?: TrainingStream | undefined;
}

/** A node ready for `runNode(context)`. */
export interface OpenedNode {
  readonly context: NodeContext;
  readonly store: ContentStore;
  /** Samples of the member's shard. */
  readonly samples: number;
  /** Closes ledger, store and engine and gives the state folder back; the process can end. */
  close(): Promise<void>;
}

/**
 * Builds everything a node needs from its configuration, waiting for the run to be opened and its recipe to be served. The context holds no
 * hidden state: a caller may replace any part of it, e.g. `runNode({ ...context, algorithm })`.
 *
 * @throws ConfigError, DataError, LearningError for what the operator must change; ChainUnreachable; the signal's reason.
 */
export async function openNode(
  config: NodeConfig,
  { logger, signal, trainingStream }: NodeSurroundings,
): Promise<OpenedNode> {
  await using opening = new AsyncDisposableStack();
  const {
    keys,
    ledger,
    store,
    run,
    role: memberId,
  } = await openParticipant(config, { logger, signal }, opening, requireMember);
  const shard = await loadOwnData(config.data, run.recipe.model, "data");
  const engine = await openEngine(config.engine, config.passphrase.env);
  opening.defer(() => engine.dispose());
  const model = await engine.load(run.recipe.model);
  const { training } = run.recipe;
  const state = new NodeState(config.state, run.run);
  const privacy = await openMemberPrivacy(
    config,
    { run, ledger, store, memberId, samples: shard.size, pendingRounds: await state.pendingRounds(), logger, signal },
    opening,
  );
  const algorithm =
    privacy?.records === undefined
      ? localAlgorithm(run.recipe.client, training, model)
      : recordPrivateTraining(training, model, privacy.records);
  requireLayout(run, model, algorithm.auxiliary);
  logger.info(
    { run: run.run.toString(), recipe: run.recipe.name, member: memberId, samples: shard.size, engine: engine.name },
    "node ready",
  );
  const seed = config.seed ?? toHex(keccak256(concatBytes(tag("trainingOrder"), keys.beaconSecret)));
  const resource = await memberResource(config.resource, {
    run,
    model,
    shard,
    random: keyedRandom(seed, "calibration", run.run),
    blockSeconds: () => blockSeconds(ledger.endpoint),
    logger,
    signal,
  });
  const context: NodeContext = {
    ...run,
    ledger,
    store,
    algorithm: localTraining({ algorithm, model, shard, seed: trainingStream ?? seed, resource }),
    state,
    logger,
    signal,
    memberId,
    codecStream: (round) => keyedRandom(seed, "codec", run.run, round),
    privacy,
  };
  const resources = opening.move();
  return { context, store, samples: shard.size, close: () => resources.disposeAsync() };
}

async function requireMember(ledger: LedgerReader, { address: account }: ParticipantKeys): Promise<number> {
  const memberId = await ledger.memberIdOf(account);
  if (memberId !== undefined) return memberId;
  throw new ConfigError(
    `The key ${account} belongs to no member of the consortium ${ledger.addresses.consortium}. Have the admin admit it (scripts/admit.ts), or use the key file that was admitted.`,
    { account },
  );
}
