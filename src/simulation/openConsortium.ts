// SPDX-License-Identifier: Apache-2.0
import { Administration } from "../chain/administration.ts";
import { ChainEndpoint } from "../chain/chainEndpoint.ts";
import { deployFederation } from "../chain/deploy.ts";
import { type Deployment, writeDeployment } from "../chain/deployment.ts";
import type { DevelopmentAccount } from "../chain/developmentAccounts.ts";
import type { EmbeddedChain } from "../chain/embeddedChain.ts";
import { toHex } from "../protocol/bytes.ts";
import type { FederationFiles, SimulatedMember } from "./demoFederation.ts";

/** Contracts with their members, before any run. */
export interface OpenedConsortium {
  readonly deployment: Deployment;
  readonly endpoint: ChainEndpoint;
  /** Account 0: admin of the consortium and sponsor of its runs. */
  readonly admin: Administration;
  /** Ids that the contract gave, in the order of the members. */
  readonly memberIds: readonly number[];
}

/** Deploys the contracts with their validators on an empty chain and admits everybody. What it opens is closed by `resources`. */
export async function openConsortium(
  chain: EmbeddedChain,
  files: FederationFiles,
  resources: AsyncDisposableStack,
  {
    maxSamples,
    auditor,
  }: {
    /** Most samples that a member may state. */
    maxSamples: (member: SimulatedMember) => number;
    /** Whether an auditor is registered, so that every loss is sealed for it too. */
    auditor: boolean;
  },
): Promise<OpenedConsortium> {
  const { address, privateKey } = chain.accounts[0] as DevelopmentAccount;
  const deployment = await deployFederation({
    endpoint: { rpcUrl: chain.rpcUrl },
    deployerKey: privateKey,
    admin: address,
    validators: files.validators.map(({ keys }) => publicKeys(keys)),
    developmentToken: true,
  });
  await writeDeployment(files.deploymentFile, deployment);
  const endpoint = await ChainEndpoint.connect({ rpcUrl: chain.rpcUrl, pollingMs: 50 });
  resources.defer(() => endpoint.close());
  const admin = new Administration(endpoint, deployment.addresses, privateKey);
  const memberIds: number[] = [];
  // One after the other: ids are given in the order of the transactions, and the same seed must give everybody the same id.
  for (const member of files.members) {
    const { name, keys } = member;
    const { memberId } = await admin.admitMember({ ...publicKeys(keys), maxSamples: maxSamples(member), name });
    memberIds.push(memberId);
  }
  if (auditor) await admin.admitAuditor(publicKeys(files.auditor));
  return { deployment, endpoint, admin, memberIds };
}

function publicKeys({ address, encryptionPublicKey }: FederationFiles["auditor"]) {
  return { signer: address, encryptionKey: toHex(encryptionPublicKey) };
}
