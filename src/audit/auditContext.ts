// SPDX-License-Identifier: Apache-2.0
import type { Hex } from "../protocol/bytes.ts";
import type { Checkpoint } from "../protocol/checkpoint.ts";
import type { ContentStore } from "../protocol/contentStore.ts";
import type { LedgerReader, LossProof } from "../protocol/ledger.ts";
import type { RunContext } from "../round/runContext.ts";
import type { Scorer } from "../round/scoreUpdates.ts";
import type { RecoverSigner } from "./checks/checkCommits.ts";
import type { BeaconTips } from "./checks/checkVerdicts.ts";
import type { Standings } from "./ledgerOfStandings.ts";

/** Verifies a proof of reported loss against its public signals D, r, E, L; implemented by `src/proving`. */
export type VerifyLossProof = (statement: {
  readonly capacity: number;
  readonly proof: LossProof;
  readonly publicSignals: readonly [bigint, bigint, bigint, bigint];
}) => Promise<boolean>;

/** What an auditor works with: a chain endpoint, a store, and nobody's word. */
export interface AuditSources {
  readonly ledger: LedgerReader;
  readonly store: ContentStore;
  readonly recoverSigner: RecoverSigner;
  readonly verifyLossProof: VerifyLossProof;
  /** Patience for one object of the store. */
  readonly fetchTimeoutMs: number;
  /** The auditor's X25519 key, if it was registered when the rounds opened: then the losses are opened as well. */
  readonly key?: { readonly publicKey: Hex; readonly privateKey: Uint8Array };
}

/** The state of a replay between two rounds. */
export interface Replay extends RunContext {
  readonly sources: AuditSources;
  /** Undefined with attested scoring: what the validators scored on is theirs alone. */
  readonly scorer: Scorer | undefined;
  readonly tips: BeaconTips;
  readonly standings: Standings;
  /** R of the last round; R_0 = h^0. */
  beacon: Hex;
  /** Head, model and checkpoint after the last finalised round that was replayed. */
  parent: { head: Hex; modelRoot: Hex; checkpointCid: Hex; model: Checkpoint };
}
