// SPDX-License-Identifier: Apache-2.0

/** Everything a finished run's page shows. Collected from chain and store; the page decides nothing. All of it is plain JSON. */
export interface RunReport {
  readonly title: string;
  readonly run: string;
  readonly chainId: string;
  readonly contracts: Readonly<Record<string, string>>;
  readonly recipe: {
    readonly name: string;
    readonly rule: string;
    readonly parameters: number;
    readonly digest: string;
  };
  readonly members: readonly MemberReport[];
  readonly validators: readonly { readonly id: number; readonly index: number; readonly signer: string }[];
  readonly genesis: {
    readonly head: string;
    readonly checkpointCid: string;
    readonly modelRoot: string;
    readonly accuracy: number;
  };
  /** Every opened round, ascending. */
  readonly rounds: readonly RoundReport[];
  readonly settlement?: {
    readonly pool: string;
    readonly refund: string;
    readonly token: string;
    readonly block: number;
  };
  /** Median gas of each call. */
  readonly gas: Readonly<Record<string, number>>;
  readonly audit?: {
    readonly ok: boolean;
    readonly rounds: number;
    readonly checks: number;
    readonly failures: readonly AuditFailureReport[];
  };
  readonly tampering: readonly {
    readonly what: string;
    readonly detected: boolean;
    readonly round: number | null;
    readonly link: string;
  }[];
  readonly seconds: Readonly<Record<string, number>>;
  /** What the page says about data and its licence. */
  readonly attribution: string;
}

export interface AuditFailureReport {
  readonly round: number | null;
  readonly link: string;
  readonly detail: string;
}

export interface MemberReport {
  readonly id: number;
  readonly name: string;
  readonly signer: string;
  readonly samples: number;
  /** Samples per class, where known. */
  readonly classes?: readonly number[];
  readonly reputation: number;
  /** Sum of scores, in nats. */
  readonly score: number;
  readonly participation: number;
  readonly reward: string;
}

export interface RoundReport {
  readonly round: number;
  readonly closing: boolean;
  readonly outcome: "finalised" | "failed";
  readonly failure?: string;
  readonly head?: string;
  readonly checkpointCid?: string;
  readonly modelRoot?: string;
  /** Index of the validator that finalised it, and its permanent id. */
  readonly proposer?: number;
  readonly proposerId?: number;
  /** Views that passed before it was finalised. */
  readonly view?: number;
  readonly accuracy?: number;
  readonly heldOutLoss?: number;
  /** L in nats, about the model before the round. */
  readonly reportedLoss?: number;
  readonly updateNorm?: number;
  readonly seconds?: number;
  /** All calls from the opening to the finalisation. */
  readonly gas?: number;
  /** One entry per member of the run that committed. */
  readonly updates: readonly UpdateReport[];
  readonly validators: readonly {
    readonly index: number;
    readonly verdict: boolean;
    readonly attested: boolean;
    readonly agreed: boolean;
  }[];
}

export interface UpdateReport {
  readonly memberId: number;
  readonly outcome: "kept" | "not kept" | "refused";
  /** Refusal code and how many validators gave it. */
  readonly refusal?: { readonly code: string; readonly votes: number };
  readonly yes: number;
  readonly samples: number;
  /** λ, 0 … 1. */
  readonly weight: number;
  /** Score in nats. */
  readonly score: number;
  readonly bytes?: number;
  readonly artifactCid: string;
}
