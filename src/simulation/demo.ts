// SPDX-License-Identifier: Apache-2.0
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { AuditReport } from "../audit/auditRun.ts";
import type { Administration } from "../chain/administration.ts";
import type { ChainEndpoint } from "../chain/chainEndpoint.ts";
import type { Deployment } from "../chain/deployment.ts";
import { type EmbeddedChain, startEmbeddedChain } from "../chain/embeddedChain.ts";
import { connectLedger } from "../chain/ledgerClient.ts";
import { callIn, gasOfCalls, verificationGas } from "../chain/traffic.ts";
import { deal } from "../data/deal.ts";
import { readDigits } from "../data/readDigits.ts";
import { holdOut } from "../data/subset.ts";
import { createAgreedEngine } from "../learning/engines/agreed.ts";
import { initialiseParameters } from "../learning/layout.ts";
import { bindingChallenge, bindingVector, evaluateBinding } from "../protocol/binding.ts";
import { hasBit } from "../protocol/bitmap.ts";
import { checkpointSize } from "../protocol/checkpoint.ts";
import { contentIdOfDigest } from "../protocol/contentId.ts";
import type { Dataset } from "../protocol/dataset.ts";
import type { Logger } from "../protocol/logger.ts";
import { keyedRandom } from "../protocol/random.ts";
import { MAX_RECIPE_BYTES } from "../protocol/recipe.ts";
import { renderReport } from "../report/renderReport.ts";
import type { RoundReport, RunReport } from "../report/runReport.ts";
import { prepareRun } from "../round/prepareRun.ts";
import { loadRunContext, proofDomain } from "../round/runContext.ts";
import { openStore } from "../storage/openStore.ts";
import { auditAsAuditor } from "./auditAsAuditor.ts";
import { type DemoFaults, demoFaults, validatorFault } from "./demoFaults.ts";
import { type FederationFiles, layOutFederation, writeParticipantFiles } from "./demoFederation.ts";
import type { DemoOptions } from "./demoOptions.ts";
import { demoRecipe } from "./demoRecipe.ts";
import { type Aggregator, type Expectation, judgeDemo } from "./demoVerdict.ts";
import { followRun, settledAndClaimed } from "./followRun.ts";
import { namedLogger } from "./namedLogger.ts";
import { type EvaluatingObserver, evaluateCheckpoint, type RunObserver } from "./observeRun.ts";
import { openConsortium } from "./openConsortium.ts";
import { asProcess, firstFailure, inProcess, type Participant, type ParticipantPlan } from "./participants.ts";
import { startRpcProxy } from "./rpcProxy.ts";
import { playDishonestOperator, type TamperingResult } from "./tampering.ts";

/** What the demo tells whoever watches it. */
export interface DemoAudience {
  stage(name: string): void;
  /** Moves often; a terminal shows the last one. */
  progress(text: string, done: number, total: number): void;
  round(report: RoundReport, memberNames: ReadonlyMap<number, string>): void;
  note(text: string): void;
}

export interface DemoOutcome {
  readonly report: RunReport;
  readonly expectations: readonly Expectation[];
  readonly ok: boolean;
  readonly proveMs: readonly number[];
  /** What aggregated, as each validator said when it started. */
  readonly aggregators: readonly Aggregator[];
  /** Gas of executing the verifier on the last proof. */
  readonly verifyGas: number;
  readonly files: { readonly model: string; readonly page: string };
}

const DIGITS = new URL("../../examples/digits/digits.csv.gz", import.meta.url).pathname;
const ATTRIBUTION =
  "Data: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0, as packaged by scikit-learn in Debian.";
/** One token has 18 decimals; the pool of the demo is 1 000 tokens. */
const POOL = 1000n * 10n ** 18n;
const BLOCK_MS = 200;

/** A whole federation on one machine, from an empty chain to an audit, with real chain, store, proofs and faults. */
export async function runDemo(
  options: DemoOptions,
  audience: DemoAudience,
  onLog: (fields: Record<string, unknown>, message: string) => void,
  signal: AbortSignal,
): Promise<DemoOutcome> {
  await using resources = new AsyncDisposableStack();
  const clock = new StageClock(audience, signal);
  const proveMs: number[] = [];
  const aggregators: Aggregator[] = [];
  const logger = demoLogger((fields, message) => {
    const { proveMs: milliseconds, backend, device } = fields;
    if (typeof milliseconds === "number") proveMs.push(milliseconds);
    if (typeof backend === "string" && typeof device === "string") aggregators.push({ backend, device });
    onLog(fields, message);
  });

  clock.enter("chain and contracts");
  const { shards, heldOut } = await dealDigits(options);
  const chain = await startEmbeddedChain({ blockMs: BLOCK_MS, accounts: 2 + options.nodes + options.validators });
  resources.defer(() => chain.stop());
  const files = await layOutFederation({
    folder: join(resolve(options.out), "participants", `${process.pid}-${Date.now()}`),
    seed: options.seed,
    shards,
    validators: options.validators,
    accounts: chain.accounts,
  });
  const { deployment, endpoint, admin, memberIds } = await openConsortium(chain, files, resources, {
    maxSamples: ({ shard }) => 2 * shard.size,
    auditor: true,
  });

  clock.enter("run");
  const sponsor = await openStore({
    kind: "helia",
    listen: [files.sponsorAddress],
    peers: [],
    swarmKeyFile: files.swarmKeyFile,
  });
  resources.defer(() => sponsor.close());
  const run = await openTheRun(options, admin, deployment, sponsor, heldOut);
  await writeParticipantFiles(files, run, chain.rpcUrl, { device: options.device });
  const ledger = await connectLedger({ endpoint, addresses: deployment.addresses });
  const store = await openStore({
    kind: "helia",
    listen: [],
    peers: [files.sponsorAddress, ...files.validators.map(({ storeAddress }) => storeAddress)],
    swarmKeyFile: files.swarmKeyFile,
  });
  resources.defer(() => store.close());
  const context = await loadRunContext(ledger, sponsor, run);
  const engine = await createAgreedEngine(context.recipe.scoring.engine);
  resources.defer(() => engine.dispose());
  const observer: EvaluatingObserver = {
    ...context,
    endpoint,
    ledger,
    store,
    scorer: { model: await engine.load(context.recipe.model), heldOut },
  };

  clock.enter("rounds");
  const faults = demoFaults(
    options.nodes,
    files.validators.map(({ storeAddress }) => storeAddress),
    files.swarmKeyFile,
  );
  const federation = await startParticipants(options, files, faults, chain, logger, audience);
  resources.defer(() => federation.stop());
  const memberNames = new Map(files.members.map(({ name }, i) => [memberIds[i] as number, name]));
  const rounds = await Promise.race([
    followRun(observer, signal, {
      onProgress: (text, done, total) => audience.progress(text, done, total),
      onRound: (report) => audience.round(report, memberNames),
      onClosed: async (round) => {
        if (round === faults.killed.round) await federation.restartKilled();
      },
    }),
    federation.failed,
  ]);

  clock.enter("settlement");
  audience.progress("waiting for the settlement and the claims", 0, 1);
  await Promise.race([settledAndClaimed(ledger, run, memberIds, signal), federation.failed]);

  clock.enter("audit");
  const head = (await ledger.runView(run)).head;
  const audit = (endpoints: { rpcUrl: string; storeUrl?: string }, watch: boolean): Promise<AuditReport> =>
    auditAsAuditor(
      deployment,
      endpoints,
      { run, head, store, auditor: files.auditor },
      (done, total) => watch && audience.progress("replaying", done, total),
    );
  const auditReport = await audit({ rpcUrl: chain.rpcUrl }, true);

  clock.enter("dishonest operator");
  const target = targetOf(rounds);
  const record = await ledger.recordOf(run, target);
  const tampering = await playDishonestOperator(
    {
      rpcUrl: chain.rpcUrl,
      store,
      maxBytes: Math.max(MAX_RECIPE_BYTES, checkpointSize(context), 1 << 24),
      round: target,
      checkpointCid: record?.checkpointCid ?? context.params.initialCheckpointCid,
    },
    (endpoints) => audit(endpoints, false),
    ({ what, detected, round, link }) =>
      audience.note(
        `${detected ? "detected" : "NOT DETECTED"}: ${what} → ${link}${round === null ? "" : ` of round ${round}`}`,
      ),
  );

  clock.enter("report");
  const report = await describeRun({
    observer,
    deployment,
    files,
    memberIds,
    rounds,
    auditReport,
    tampering,
    chain,
    endpoint,
    clock,
  });
  const model = join(options.out, "model.safetensors");
  const page = join(options.out, "report.html");
  const { checkpointCid } = await ledger.runView(run);
  await writeFile(model, await store.get(contentIdOfDigest(checkpointCid), { maxBytes: checkpointSize(context) }));
  const seconds = clock.finish();
  const timed: RunReport = { ...report, seconds };
  await writeFile(page, renderReport(timed));
  const expectations = judgeDemo(timed, faults, options, memberIds, aggregators);
  const verifyGas = await lastVerificationGas(observer, endpoint, rounds);
  return {
    report: timed,
    expectations,
    ok: expectations.every(({ met }) => met),
    proveMs,
    aggregators,
    verifyGas,
    files: { model, page },
  };
}

async function lastVerificationGas(
  observer: RunObserver,
  endpoint: ChainEndpoint,
  rounds: readonly RoundReport[],
): Promise<number> {
  const last = rounds.findLast(({ outcome }) => outcome === "finalised");
  const record = last === undefined ? undefined : await observer.ledger.finalised(observer.run, last.round);
  if (record === undefined) return 0;
  const commits = [...(await observer.ledger.commits(observer.run, record.result.round))]
    .filter(({ commitIndex }) => hasBit(record.result.accepted, commitIndex))
    .sort((a, b) => a.commitment.memberId - b.commitment.memberId);
  const { result, finalisation } = record;
  const vector = bindingVector(
    result.run,
    result.round,
    commits.map(({ commitment }) => commitment),
  );
  const challenge = bindingChallenge({ ...proofDomain(observer), ...result }, vector, finalisation.bindingDigest);
  const signals = [
    finalisation.bindingDigest,
    challenge,
    evaluateBinding(vector, challenge),
    BigInt(result.reportedLoss),
  ];
  return verificationGas(endpoint, observer.params.verifier, finalisation.proof, signals);
}

/** Wall-clock seconds by stage. No stage begins once the demo is to stop. */
class StageClock {
  readonly #audience: DemoAudience;
  readonly #signal: AbortSignal;
  readonly #seconds: Record<string, number> = {};
  #stage = "";
  #since = 0;

  constructor(audience: DemoAudience, signal: AbortSignal) {
    this.#audience = audience;
    this.#signal = signal;
  }
  enter(stage: string): void {
    this.#signal.throwIfAborted();
    this.#close();
    this.#stage = stage;
    this.#since = performance.now();
    this.#audience.stage(stage);
  }
  finish(): Record<string, number> {
    this.#close();
    this.#stage = "";
    return { ...this.#seconds, total: Object.values(this.#seconds).reduce((sum, value) => sum + value, 0) };
  }
  #close(): void {
    if (this.#stage !== "") this.#seconds[this.#stage] = (performance.now() - this.#since) / 1000;
  }
}

/** A fifth is held out and public; the rest is dealt by Dirichlet(0.3). */
async function dealDigits({ nodes, seed }: DemoOptions): Promise<{ shards: readonly Dataset[]; heldOut: Dataset }> {
  const { rest, heldOut } = holdOut(await readDigits(DIGITS), 0.2, seed);
  return { shards: deal(rest, nodes, { kind: "dirichlet", alpha: 0.3 }, keyedRandom(seed, "deal")), heldOut };
}

async function openTheRun(
  options: DemoOptions,
  admin: Administration,
  deployment: Deployment,
  sponsor: Awaited<ReturnType<typeof openStore>>,
  heldOut: Dataset,
): Promise<bigint> {
  const recipe = demoRecipe(heldOut.inputs, heldOut.classes);
  const prepared = await prepareRun(
    sponsor,
    recipe,
    initialiseParameters(recipe.model, keyedRandom(options.seed, "initial model")),
    heldOut,
  );
  const token = deployment.token as string;
  await admin.mint(token, admin.account, POOL);
  await admin.approve(token, POOL);
  const capacity = options.nodes <= 8 ? 8 : 32;
  const { run } = await admin.openRun({
    ...prepared,
    rounds: options.rounds,
    maxOpenings: options.rounds + 6,
    cohort: options.nodes,
    capacity,
    minAccepted: 4,
    // Deadlines only matter when somebody is missing: phases end when everyone has acted. 200 ms blocks.
    commitBlocks: 300,
    judgeBlocks: 200,
    fetchBlocks: 20,
    attestBlocks: 200,
    viewBlocks: 15,
    challengeBlocks: 5,
    alphaQ16: 58_982,
    omegaQ16: 45_875,
    verifier: deployment.verifiers[capacity] as string,
    token,
    pool: POOL,
    disputeBond: 10n ** 18n,
    scoring: 0,
  });
  return run;
}

interface RunningFederation {
  /** Rejects when a participant fails that should not. */
  readonly failed: Promise<never>;
  restartKilled(): Promise<void>;
  stop(): Promise<void>;
}

async function startParticipants(
  options: DemoOptions,
  files: FederationFiles,
  faults: DemoFaults,
  chain: EmbeddedChain,
  logger: Logger,
  audience: DemoAudience,
): Promise<RunningFederation> {
  const host = (plan: ParticipantPlan): Participant =>
    options.processes
      ? asProcess(plan, ({ msg, ...fields }) => logger.info(fields, String(msg)))
      : inProcess(plan, namedLogger(logger, plan.name));
  const withFault = <F>(fault: F | undefined): { fault?: F } => (fault === undefined ? {} : { fault });
  const members = files.members.map(({ name, configFile }, i) =>
    host({ name, role: "node", configFile, ...withFault(faults.members.get(i)) }),
  );
  const validators = files.validators.map(({ name, configFile }, i) =>
    host({ name, role: "validator", configFile, keepServing: true, ...withFault(validatorFault(faults, i)) }),
  );

  const doomed = validators[faults.killed.index] as Participant;
  let killed = false;
  // The kill comes from outside, at the moment the proposer's finalisation is on its way and before the chain has it.
  const proxy = await startRpcProxy(chain.rpcUrl, {
    before: ({ method, params }) => {
      const sent = method === "eth_sendRawTransaction" ? callIn(String(params[0])) : undefined;
      if (sent?.call !== "finalise" || sent.round !== faults.killed.round) return true;
      if (!killed) {
        killed = true;
        audience.note(`${doomed.name} killed after attesting round ${faults.killed.round}, before finalising it`);
        void doomed.kill();
      }
      return false;
    },
  });
  for (const validator of validators) validator.start(validator === doomed ? { rpcUrl: proxy.url } : {});
  for (const member of members) member.start();
  return {
    failed: firstFailure([...members, ...validators]),
    async restartKilled() {
      if (!killed) return;
      await doomed.kill();
      doomed.start();
      audience.note(`${doomed.name} restarted on the same files`);
    },
    async stop() {
      await Promise.all([...members, ...validators].map((participant) => participant.kill()));
      await proxy.close();
    },
  };
}

/** The round that the operator lies about: in the middle of the run. */
function targetOf(rounds: readonly RoundReport[]): number {
  const finalised = rounds.filter(({ closing, outcome }) => !closing && outcome === "finalised");
  return finalised[finalised.length >> 1]?.round ?? 1;
}

async function describeRun(subject: {
  observer: EvaluatingObserver;
  deployment: Deployment;
  files: FederationFiles;
  memberIds: readonly number[];
  rounds: readonly RoundReport[];
  auditReport: AuditReport;
  tampering: readonly TamperingResult[];
  chain: EmbeddedChain;
  endpoint: ChainEndpoint;
  clock: StageClock;
}): Promise<RunReport> {
  const { observer, deployment, files, memberIds, auditReport } = subject;
  const { ledger, run, params, recipe, layout } = observer;
  const calls = await gasOfCalls(
    subject.endpoint,
    deployment.addresses,
    deployment.blocks.first,
    await ledger.blockNumber(),
  );
  const settlement = await ledger.settlement(run);
  const genesis = await ledger.recordOf(run, 0);
  const { validators } = await ledger.validatorSet(await ledger.latestValidatorSetVersion());
  const members = await Promise.all(
    files.members.map(async ({ name, keys, shard }, i) => {
      const standing = await ledger.standingOf(run, memberIds[i] as number);
      return {
        id: memberIds[i] as number,
        name,
        signer: keys.address,
        samples: shard.size,
        classes: classCounts(shard),
        reputation: standing.reputationQ16 / 65_536,
        score: Number(standing.contribution) / 1_048_576,
        participation: standing.participation,
        reward: standing.reward.toString(),
      };
    }),
  );
  return {
    title: "Foedus demo: one model from five shards of the digits",
    run: run.toString(),
    chainId: deployment.chainId.toString(),
    contracts: { ...deployment.addresses, verifier: params.verifier, token: params.token },
    recipe: {
      name: recipe.name,
      rule: ruleText(recipe.aggregation),
      parameters: layout.size,
      digest: params.recipeDigest,
    },
    members,
    validators: validators.map(({ id, index, signer }) => ({ id, index, signer })),
    genesis: {
      head: genesis?.head ?? "",
      checkpointCid: contentIdOfDigest(params.initialCheckpointCid),
      modelRoot: params.initialModelRoot,
      accuracy: (
        await evaluateCheckpoint(observer, {
          checkpointCid: params.initialCheckpointCid,
          modelRoot: params.initialModelRoot,
        })
      ).accuracy,
    },
    rounds: subject.rounds,
    ...(settlement === undefined
      ? {}
      : {
          settlement: {
            pool: settlement.pool.toString(),
            refund: settlement.refund.toString(),
            token: params.token,
            block: settlement.block,
          },
        }),
    gas: medianByCall(calls),
    audit: {
      ok: auditReport.ok,
      rounds: auditReport.rounds,
      checks: auditReport.checks,
      failures: auditReport.failures,
    },
    tampering: subject.tampering,
    seconds: {},
    attribution: ATTRIBUTION,
  };
}

function ruleText(aggregation: { rule: string; parameters?: object }): string {
  const details = Object.entries(aggregation.parameters ?? {})
    .filter(([, value]) => typeof value === "number")
    .map(([name, value]) => `${name} = ${String(value)}`);
  return [aggregation.rule, ...details].join(", ");
}

function classCounts({ labels, classes }: Dataset): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] as number) + 1;
  return counts;
}

function medianByCall(calls: readonly { call: string; gasUsed: number }[]): Record<string, number> {
  const names = [...new Set(calls.map(({ call }) => call))];
  return Object.fromEntries(
    names.map((name) => {
      const values = calls
        .filter(({ call }) => call === name)
        .map(({ gasUsed }) => gasUsed)
        .sort((a, b) => a - b);
      return [name, values[values.length >> 1] as number];
    }),
  );
}

function demoLogger(write: (fields: Record<string, unknown>, message: string) => void): Logger {
  return { debug: () => {}, info: write, warn: write, error: write };
}
