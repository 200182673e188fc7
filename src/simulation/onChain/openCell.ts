// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedChain } from "../../chain/embeddedChain.ts";
import { connectLedger } from "../../chain/ledgerClient.ts";
import type { ContentStore } from "../../protocol/contentStore.ts";
import { splitMaster } from "../../protocol/grid.ts";
import { prepareRun } from "../../round/prepareRun.ts";
import { loadRunContext } from "../../round/runContext.ts";
import { openStore } from "../../storage/openStore.ts";
import { type FederationFiles, layOutFederation, writeParticipantFiles } from "../demoFederation.ts";
import type { Federation } from "../laboratory/federation.ts";
import { resourceOf } from "../laboratory/simulateRound.ts";
import type { RunObserver } from "../observeRun.ts";
import { type OpenedConsortium, openConsortium } from "../openConsortium.ts";
import { heldOutOf, recipeOf, termsOf } from "./recipeOf.ts";

const VALIDATORS = 4;
const POOL = 10n ** 21n;
const BLOCK_MS = 200;
/** Deadlines only matter when somebody is missing, since phases end when everyone has acted: ten minutes for training, five for validators. */
const TRAINING_BLOCKS = 3_000;
const PATIENCE_BLOCKS = 1_500;

/** A cell as a consortium on an empty chain with an open run, before any participant starts. */
export interface OpenedCell extends OpenedConsortium {
  readonly rpcUrl: string;
  readonly files: FederationFiles;
  readonly observer: RunObserver;
  readonly store: ContentStore;
}

/** Chain, contracts, the members with their shards, and a run of the cell's recipe. What it opens is closed, and its files removed, by `resources`. */
export async function openCell(
  federation: Federation,
  name: string,
  resources: AsyncDisposableStack,
): Promise<OpenedCell> {
  const { config, members, seed } = federation;
  const folder = await mkdtemp(join(tmpdir(), "foedus-cell-"));
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  const chain = await startEmbeddedChain({ blockMs: BLOCK_MS, accounts: 2 + members.length + VALIDATORS });
  resources.defer(() => chain.stop());
  const files = await layOutFederation({
    folder,
    seed: `laboratory ${seed}`,
    shards: members.map(({ shard }) => shard),
    validators: VALIDATORS,
    accounts: chain.accounts,
  });
  const consortium = await openConsortium(chain, files, resources, {
    maxSamples: ({ shard }) => shard.size,
    auditor: true,
  });
  const { admin, deployment, endpoint } = consortium;
  const { swarmKeyFile, sponsorAddress } = files;
  const sponsor = await openStore({ kind: "helia", listen: [sponsorAddress], peers: [], swarmKeyFile });
  resources.defer(() => sponsor.close());
  const initial = splitMaster(federation.master, federation.layout).view;
  const prepared = await prepareRun(sponsor, recipeOf(federation, name), initial, heldOutOf(federation));
  const token = deployment.token as string;
  await admin.mint(token, admin.account, POOL);
  await admin.approve(token, POOL);
  const terms = termsOf(config);
  const { run } = await admin.openRun({
    ...prepared,
    ...terms,
    commitBlocks: TRAINING_BLOCKS,
    judgeBlocks: PATIENCE_BLOCKS,
    fetchBlocks: PATIENCE_BLOCKS / 2,
    attestBlocks: PATIENCE_BLOCKS,
    viewBlocks: 200,
    challengeBlocks: 5,
    // ω = 0.7 by contribution, the rest by participation.
    omegaQ16: 45_875,
    verifier: deployment.verifiers[terms.capacity] as string,
    token,
    pool: POOL,
    disputeBond: 10n ** 18n,
  });
  const speeds = members.map(({ id }) => resourceOf(config, id));
  await writeParticipantFiles(files, run, chain.rpcUrl, { device: "cpu", speeds });
  const ledger = await connectLedger({ endpoint, addresses: deployment.addresses });
  const peers = [sponsorAddress, ...files.validators.map(({ storeAddress }) => storeAddress)];
  const store = await openStore({ kind: "helia", listen: [], peers, swarmKeyFile });
  resources.defer(() => store.close());
  const observer = { ...(await loadRunContext(ledger, sponsor, run)), endpoint, ledger, store };
  return { ...consortium, rpcUrl: chain.rpcUrl, files, observer, store };
}
