// SPDX-License-Identifier: Apache-2.0
import { isDevelopmentChain } from "../chain/developmentAccounts.ts";
import type { ParticipantKeys } from "../chain/keys.ts";
import { openKernels } from "../kernels/openKernels.ts";
import { auxiliaryTensors } from "../learning/algorithms/table.ts";
import { createAgreedEngine } from "../learning/engines/agreed.ts";
import { openParticipant, type Surroundings } from "../process/openParticipant.ts";
import { loadOwnData } from "../process/ownData.ts";
import { requireLayout } from "../process/requireLayout.ts";
import { waitForContent } from "../process/waitForRun.ts";
import { toHex } from "../protocol/bytes.ts";
import type { ContentStore } from "../protocol/contentStore.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { ConfigError } from "../protocol/errors.ts";
import type { LedgerReader, ValidatorRecord } from "../protocol/ledger.ts";
import { loadCircuitArtifacts, reportedLossCircuit } from "../proving/circuitArtifacts.ts";
import { ReportedLossProver } from "../proving/proveReportedLoss.ts";
import { loadHeldOut } from "../round/loadHeldOut.ts";
import type { RunContext } from "../round/runContext.ts";
import type { ValidatorConfig } from "./options.ts";
import type { ValidatorContext } from "./validatorContext.ts";

/** A validator ready for `runValidator(context)`. */
export interface OpenedValidator {
  readonly context: ValidatorContext;
  readonly store: ContentStore;
  /** Permanent id in the registry. */
  readonly validatorId: number;
  /** Closes ledger, store, engine and prover and gives the state folder back; the process can end. */
  close(): Promise<void>;
}

/**
 * Builds everything a validator needs from its configuration, waiting for the run to be opened and for its recipe and public held-out
 * set to be served. The context holds no hidden state: a caller may replace any part of it.
 *
 * @throws ConfigError, CircuitArtifactsError, LearningError for what the operator must change; ChainUnreachable; the signal's reason.
 */
export async function openValidator(
  config: ValidatorConfig,
  { logger, signal }: Surroundings,
): Promise<OpenedValidator> {
  await using opening = new AsyncDisposableStack();
  const { keys, ledger, store, run, role } = await openParticipant(
    config,
    { logger, signal },
    opening,
    requireValidator,
  );
  const { id: validatorId } = role;

  const circuit = reportedLossCircuit(run.circuitCapacity);
  const { metadata } = await loadCircuitArtifacts(circuit, config.prover.artifacts);
  if (metadata.development && !isDevelopmentChain(ledger.chainId)) {
    logger.warn(
      { circuit, chain: ledger.chainId.toString() },
      "proving with development keys on a chain that is no development chain: its verifier will refuse the proofs",
    );
  }
  const prover = new ReportedLossProver({
    threads: config.prover.threads,
    artifactsDirectory: config.prover.artifacts,
  });
  opening.defer(() => prover.close());

  const kernels = await openKernels({ ...config.aggregation, logger });
  opening.defer(() => kernels.close());
  const engine = await createAgreedEngine(run.recipe.scoring.engine);
  opening.defer(() => engine.dispose());
  const model = await engine.load(run.recipe.model);
  const { client, training } = run.recipe;
  requireLayout(run, model, auxiliaryTensors(client, training, run.recipe.model));
  const heldOut = await heldOutOf(config, run, store, { logger, signal });
  logger.info(
    {
      run: run.run.toString(),
      recipe: run.recipe.name,
      validator: validatorId,
      scoring: run.recipe.scoring.mode,
      heldOut: heldOut.size,
      engine: engine.name,
      circuit,
    },
    "validator ready",
  );
  const { encryptionPrivateKey, beaconSecret } = keys;
  const context: ValidatorContext = {
    ...run,
    ledger,
    store,
    scorer: { model, heldOut },
    kernels,
    prover,
    encryptionPrivateKey,
    beaconSecret,
    logger,
    signal,
  };
  const resources = opening.move();
  return { context, store, validatorId, close: () => resources.disposeAsync() };
}

/** What this validator scores on: the set that everybody scores on, or one that only it has. */
async function heldOutOf(
  { heldOut: own }: ValidatorConfig,
  run: RunContext,
  store: ContentStore,
  surroundings: Surroundings,
): Promise<Dataset> {
  const { scoring, model, name } = run.recipe;
  if (scoring.mode === "exact") {
    if (own !== undefined) {
      throw new ConfigError(
        `The run "${name}" scores on public data, and ${own.file} would not be used. Leave heldOut out, or take part in a run with attested scoring.`,
        { file: own.file },
      );
    }
    return waitForContent("the run's held-out set", (options) => loadHeldOut(store, scoring, options), surroundings);
  }
  if (own === undefined) {
    throw new ConfigError(
      `In the run "${name}" every validator scores on held-out data of its own. Name yours with heldOut in the configuration.`,
    );
  }
  return loadOwnData(own, model, "heldOut");
}

/** The key's record in the current set. With another encryption key registered, no loss could be opened, and every update would look bad. */
async function requireValidator(ledger: LedgerReader, keys: ParticipantKeys): Promise<ValidatorRecord> {
  const { version, validators } = await ledger.validatorSet(await ledger.latestValidatorSetVersion());
  const record = validators.find(({ signer }) => signer.toLowerCase() === keys.address.toLowerCase());
  if (record === undefined) {
    throw new ConfigError(
      `The key ${keys.address} belongs to no validator in version ${version} of the consortium's set. Have a quorum of validators approve it, or use the key file that was approved.`,
      { account: keys.address, version },
    );
  }
  const publicKey = toHex(keys.encryptionPublicKey);
  if (record.encryptionKey !== publicKey) {
    throw new ConfigError(
      `Validator ${record.id} is registered with the encryption key ${record.encryptionKey}; the key file has ${publicKey}. Use the key file of the last rotation, or rotate to this one.`,
      { validator: record.id, registered: record.encryptionKey, found: publicKey },
    );
  }
  return record;
}
