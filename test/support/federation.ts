// SPDX-License-Identifier: Apache-2.0
import type { ChainEndpoint } from "../../src/chain/chainEndpoint.ts";
import type { Deployment } from "../../src/chain/deployment.ts";
import { type EmbeddedChain, startEmbeddedChain } from "../../src/chain/embeddedChain.ts";
import { connectLedger } from "../../src/chain/ledgerClient.ts";
import { deal } from "../../src/data/deal.ts";
import { readDigits } from "../../src/data/readDigits.ts";
import { holdOut } from "../../src/data/subset.ts";
import { auxiliaryTensors, initialState } from "../../src/learning/algorithms/table.ts";
import { initialiseParameters } from "../../src/learning/layout.ts";
import type { LedgerReader } from "../../src/protocol/ledger.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { prepareRun, type RecipeDraft } from "../../src/round/prepareRun.ts";
import { type FederationFiles, layOutFederation, writeParticipantFiles } from "../../src/simulation/demoFederation.ts";
import { demoRecipe } from "../../src/simulation/demoRecipe.ts";
import { openConsortium } from "../../src/simulation/openConsortium.ts";
import { openStore } from "../../src/storage/openStore.ts";

const DIGITS = new URL("../../examples/digits/digits.csv.gz", import.meta.url).pathname;
const POOL = 10n ** 21n;

export interface FederationPlan {
  readonly folder: string;
  /** All keys, shards and the initial model follow from it. */
  readonly seed: string;
  readonly members: number;
  readonly validators: number;
  readonly rounds: number;
  /** Whether an auditor is registered before the run, so that every loss is sealed for it too. */
  readonly auditor: boolean;
  readonly blockMs: number;
  /** What replaces parts of the demo's recipe. */
  readonly recipe?: Partial<RecipeDraft>;
  /** `attested`: every validator scores on a part of the held-out set that only it has. Default exact. */
  readonly scoring?: "exact" | "attested";
  /** Default 400, long enough for a process to be started again within every phase on a slow machine. */
  readonly commitBlocks?: number;
  /** Default 5. */
  readonly challengeBlocks?: number;
}

/** A federation with its first run opened, before any participant starts. */
export interface OpenedFederation {
  readonly chain: EmbeddedChain;
  readonly deployment: Deployment;
  readonly files: FederationFiles;
  readonly endpoint: ChainEndpoint;
  readonly ledger: LedgerReader;
  readonly run: bigint;
}

/** Chain, contracts, members with their shares of the digits, the sponsor's store and an open run. What it opens is closed by `resources`. */
export async function openFederation(plan: FederationPlan, resources: AsyncDisposableStack): Promise<OpenedFederation> {
  const { seed, members, validators, rounds } = plan;
  const { rest, heldOut } = holdOut(await readDigits(DIGITS), 0.2, seed);
  const shards = deal(rest, members, { kind: "iid" }, keyedRandom(seed, "deal"));
  const chain = await startEmbeddedChain({ blockMs: plan.blockMs, accounts: 2 + members + validators });
  resources.defer(() => chain.stop());
  const attested = plan.scoring === "attested";
  const files = await layOutFederation({
    folder: plan.folder,
    seed,
    shards,
    validators,
    ...(attested ? { heldOut: deal(heldOut, validators, { kind: "iid" }, keyedRandom(seed, "held-out")) } : {}),
    accounts: chain.accounts,
  });
  const { deployment, endpoint, admin } = await openConsortium(chain, files, resources, {
    maxSamples: ({ shard }) => shard.size,
    auditor: plan.auditor,
  });

  const sponsor = await openStore({
    kind: "helia",
    listen: [files.sponsorAddress],
    peers: [],
    swarmKeyFile: files.swarmKeyFile,
  });
  resources.defer(() => sponsor.close());
  const plain: RecipeDraft = { ...demoRecipe(heldOut.inputs, heldOut.classes), ...plan.recipe };
  const auxiliary = auxiliaryTensors(plain.client, plain.training, plain.model);
  const beside = auxiliary.map(({ name, shape }) => ({ name, shape: [...shape], fractionBits: 18, group: 0 }));
  const demo: RecipeDraft = { ...plain, layout: [...plain.layout, ...beside] };
  const recipe: RecipeDraft = attested ? { ...demo, scoring: { ...demo.scoring, mode: "attested" } } : demo;
  const prepared = await prepareRun(
    sponsor,
    recipe,
    initialState(initialiseParameters(recipe.model, keyedRandom(seed, "initial model")), auxiliary),
    attested ? undefined : heldOut,
  );
  const token = deployment.token as string;
  await admin.mint(token, admin.account, POOL);
  await admin.approve(token, POOL);
  const { run } = await admin.openRun({
    ...prepared,
    rounds,
    maxOpenings: rounds + 4,
    cohort: members,
    capacity: 8,
    minAccepted: 4,
    commitBlocks: plan.commitBlocks ?? 400,
    judgeBlocks: 400,
    fetchBlocks: 200,
    attestBlocks: 400,
    viewBlocks: 40,
    challengeBlocks: plan.challengeBlocks ?? 5,
    alphaQ16: 58_982,
    omegaQ16: 45_875,
    verifier: deployment.verifiers[8] as string,
    token,
    pool: POOL,
    disputeBond: 10n ** 18n,
  });
  await writeParticipantFiles(files, run, chain.rpcUrl);
  const ledger = await connectLedger({ endpoint, addresses: deployment.addresses });
  return { chain, deployment, files, endpoint, ledger, run };
}
