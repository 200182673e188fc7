// SPDX-License-Identifier: Apache-2.0
import type { ContentStore } from "../protocol/contentStore.ts";
import type { LedgerWriter, RoundView, ValidatorRecord } from "../protocol/ledger.ts";
import type { Logger } from "../protocol/logger.ts";
import type { WideKernels } from "../protocol/wideKernels.ts";
import type { Recipients } from "../round/recipients.ts";
import type { RunContext } from "../round/runContext.ts";
import type { Scorer } from "../round/scoreUpdates.ts";
import type { LossProver } from "./lossProver.ts";

/** What a validator needs; everything with an effect is passed in. */
export interface ValidatorContext extends RunContext {
  readonly ledger: LedgerWriter;
  readonly store: ContentStore;
  readonly scorer: Scorer;
  /** The backend that aggregates: `--device`. */
  readonly kernels: WideKernels;
  readonly prover: LossProver;
  /** X25519 private key, raw 32 bytes, matching the registered encryption key. */
  readonly encryptionPrivateKey: Uint8Array;
  /** Secret from which the hash chain of every run is derived. */
  readonly beaconSecret: Uint8Array;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** One round as one validator sees it. */
export interface ValidatorRound {
  readonly view: RoundView;
  readonly recipients: Recipients;
  /** This validator in the round's set. */
  readonly self: ValidatorRecord;
}
