// SPDX-License-Identifier: Apache-2.0
import { dirname } from "node:path";
import { extentOf } from "../learning/algorithms/batches.ts";
import { federationName, type PrivacyBudget } from "../privacy/charge.ts";
import { entryDigest } from "../privacy/ledgerEntry.ts";
import { noiseSecret } from "../privacy/noiseSecret.ts";
import { noiseStage } from "../privacy/noiseStage.ts";
import { PrivacyLedger } from "../privacy/privacyLedger.ts";
import { privateLoss } from "../privacy/privateLoss.ts";
import { readLedger } from "../privacy/readLedger.ts";
import { requireLedger } from "../privacy/requireLedger.ts";
import { roundCharge } from "../privacy/roundCharge.ts";
import { federationSecret, secretStream } from "../privacy/secretStream.ts";
import { type Spending, spendingOf } from "../privacy/spending.ts";
import { lockFolder } from "../process/lockFolder.ts";
import type { Hex } from "../protocol/bytes.ts";
import type { ContentStore } from "../protocol/contentStore.ts";
import type { LedgerReader } from "../protocol/ledger.ts";
import type { Logger } from "../protocol/logger.ts";
import type { NoiseStage } from "../protocol/noiseStage.ts";
import { privacyOf } from "../protocol/recipe.ts";
import { requirePrivateRun } from "../round/privateRun.ts";
import type { RecordPrivacy } from "../round/recordPrivateTraining.ts";
import type { RunContext } from "../round/runContext.ts";
import type { NodeConfig } from "./options.ts";
import { privacyFiles } from "./privacyFiles.ts";
import { unknownParticipations } from "./privateParticipations.ts";

/** What a node does for its member's privacy in the rounds of a private run. */
export interface MemberPrivacy {
  /**
   * Writes down what a round will reveal, on disk before this returns; only then may the round read the data. A round that was charged before costs
   * nothing more.
   *
   * @returns digest of the ledger's entry, which the artifact names.
   * @throws FoedusError BUDGET_SPENT, CHARGE_CHANGED
   */
  charge(round: number, closing: boolean): Promise<Hex>;
  /** Clip and noise of the round's update; undefined where training itself is private (records). */
  noise(round: number): NoiseStage | undefined;
  /** The loss as it may be reported: clipped, with noise; units of 2^-16 nats. @param loss nats. */
  reportedLoss(round: number, loss: number): number;
  /** What private training of records draws its batches and noise from; undefined in other modes. */
  readonly records: RecordPrivacy | undefined;
  spending(): readonly Spending[];
}

/** What the privacy of a run depends on beside its recipe. */
export interface PrivacySurroundings {
  readonly run: RunContext;
  readonly ledger: LedgerReader;
  readonly store: ContentStore;
  readonly memberId: number;
  /** Of the member's shard. */
  readonly samples: number;
  /** Rounds of the run with an update on disk that has left the node, or will. */
  readonly pendingRounds: readonly number[];
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * The member's privacy in a run, checked before anything is trained: the recipe keeps its promise on a chain, and the ledger knows of everything
 * that the chain has of this member. Undefined for a run without privacy.
 *
 * @throws ConfigError for a recipe that promises what it cannot keep, and while another process has the ledger; FoedusError
 * PRIVACY_LEDGER_DAMAGED, PRIVACY_LEDGER_LOST.
 */
export async function openMemberPrivacy(
  config: Pick<NodeConfig, "state" | "privacy">,
  surroundings: PrivacySurroundings,
  resources: AsyncDisposableStack,
): Promise<MemberPrivacy | undefined> {
  const { run, samples, logger } = surroundings;
  const { chainId, addresses, recipe, layout } = run;
  const privacy = privacyOf(recipe);
  const files = privacyFiles(config);
  if (privacy === undefined) {
    // A damaged ledger is for private runs to refuse.
    const entries = await readLedger(files.ledger).catch(() => []);
    if (entries.length > 0)
      logger.warn({ ledger: files.ledger }, "this run is not private: what it reveals stands in no privacy ledger");
    return undefined;
  }
  const cohort = Math.min(run.params.cohort, run.params.capacity);
  requirePrivateRun(recipe, { size: layout.size, cohort });
  // What the refusal above leaves.
  if (privacy.mode === "central" || privacy.mode === "distributed") throw new Error(`${privacy.mode} noise on a chain`);

  resources.defer(
    await lockFolder(
      dirname(files.ledger),
      "wait until it has ended: a member has one privacy ledger for all its runs",
    ),
  );
  const book = await PrivacyLedger.open(files.ledger);
  resources.defer(() => book.close());
  const federation = federationName(chainId, addresses.trainingLedger);
  const { publicRuns = [] } = config.privacy;
  const prepared = surroundings.pendingRounds.map((round) => ({ federation, run: run.run, round }));
  const onChain = await unknownParticipations({ ...surroundings, entries: book.entries, federation, publicRuns });
  requireLedger(book.entries, [...onChain, ...prepared]);

  const secret = federationSecret(await noiseSecret(files.secret), federation);
  const wordsFor = (round: number, purpose: string) => secretStream(secret, { run: run.run, round, purpose });
  const budget: PrivacyBudget = {
    epsilon: Math.min(privacy.budget.epsilon, config.privacy.maxEpsilon ?? privacy.budget.epsilon),
    delta: privacy.budget.delta,
  };
  const chargeFor = (round: number, closing: boolean) =>
    roundCharge(privacy, {
      federation,
      run: run.run,
      round,
      cohort,
      samples,
      batchSize: recipe.training.batchSize,
      localSteps: extentOf(recipe.training, samples).steps,
      sampling: { kind: "everybody", rate: 1, published: true },
      closing,
    });
  const next = chargeFor(1, false);
  logger.info(
    {
      unit: next.unit,
      spent: book.spent(next, budget.delta).epsilon,
      ...{ budget: budget.epsilon, delta: budget.delta },
      roundsLeft: book.roundsLeft(next, budget),
      ledger: files.ledger,
    },
    "privacy ledger",
  );
  return {
    async charge(round, closing) {
      const entry = await book.charge(chargeFor(round, closing), budget);
      logger.info({ round, epsilon: entry.epsilon, budget: budget.epsilon, delta: budget.delta }, "privacy charged");
      return entryDigest(entry);
    },
    noise: (round) =>
      privacy.mode === "record" ? undefined : noiseStage(privacy, { run: run.run, round, layout, cohort, secret }),
    reportedLoss: (round, loss) => privateLoss(loss, privacy.loss, wordsFor(round, "loss")),
    records:
      privacy.mode === "record"
        ? {
            clipNorm: privacy.clipNorm,
            noiseMultiplier: privacy.noiseMultiplier,
            words: (round) => wordsFor(round, "records"),
          }
        : undefined,
    spending: () => spendingOf(book.entries),
  };
}
