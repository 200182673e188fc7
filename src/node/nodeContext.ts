// SPDX-License-Identifier: Apache-2.0
import type { ContentStore } from "../protocol/contentStore.ts";
import type { LedgerWriter } from "../protocol/ledger.ts";
import type { Logger } from "../protocol/logger.ts";
import type { Random } from "../protocol/random.ts";
import type { RunContext } from "../round/runContext.ts";
import type { ClientAlgorithm } from "./clientAlgorithm.ts";
import type { MemberPrivacy } from "./memberPrivacy.ts";
import type { NodeState } from "./nodeState.ts";

/** What a node's round needs; everything with an effect is passed in. */
export interface NodeContext extends RunContext {
  readonly ledger: LedgerWriter;
  readonly store: ContentStore;
  readonly algorithm: ClientAlgorithm;
  readonly state: NodeState;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly memberId: number;
  /** What codecs that round stochastically draw from in a round; nobody else can predict it. */
  readonly codecStream: (round: number) => Random;
  /** Exactly in private runs. */
  readonly privacy?: MemberPrivacy | undefined;
}
