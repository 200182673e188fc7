// SPDX-License-Identifier: Apache-2.0
import { type AuditReport, auditRun } from "../audit/auditRun.ts";
import type { Deployment } from "../chain/deployment.ts";
import type { ParticipantKeys } from "../chain/keys.ts";
import { connectLedger } from "../chain/ledgerClient.ts";
import { recoverSigner } from "../chain/recoverSigner.ts";
import { createAgreedEngine } from "../learning/engines/agreed.ts";
import { type Hex, toHex } from "../protocol/bytes.ts";
import type { ContentStore } from "../protocol/contentStore.ts";
import { verifyReportedLoss } from "../proving/verifyReportedLoss.ts";
import { openStore } from "../storage/openStore.ts";

/** One audit by a registered auditor with its own connections; the store is an honest peer unless a URL is given. */
export async function auditAsAuditor(
  deployment: Deployment,
  endpoints: { readonly rpcUrl: string; readonly storeUrl?: string },
  subject: {
    readonly run: bigint;
    /** What the run must end in. */
    readonly head: Hex;
    readonly store: ContentStore;
    readonly auditor: ParticipantKeys;
  },
  onProgress: (done: number, total: number) => void,
): Promise<AuditReport> {
  await using resources = new AsyncDisposableStack();
  const ledger = await connectLedger({
    rpcUrl: endpoints.rpcUrl,
    pollingMs: 50,
    addresses: deployment.addresses,
    chainId: deployment.chainId,
  });
  resources.defer(() => ledger.close());
  const { run, head, auditor } = subject;
  let { store } = subject;
  if (endpoints.storeUrl !== undefined) {
    store = await openStore({ kind: "gateway", url: endpoints.storeUrl });
    resources.defer(() => store.close());
  }
  return await auditRun(
    {
      ledger,
      store,
      recoverSigner,
      verifyLossProof: (statement) => verifyReportedLoss(statement),
      fetchTimeoutMs: 15_000,
      key: { publicKey: toHex(auditor.encryptionPublicKey), privateKey: auditor.encryptionPrivateKey },
    },
    {
      run,
      head,
      loadModel: async (config, agreed) => {
        const engine = await createAgreedEngine(agreed);
        resources.defer(() => engine.dispose());
        return engine.load(config);
      },
      onRound: onProgress,
    },
  );
}
