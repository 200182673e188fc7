// SPDX-License-Identifier: Apache-2.0

/** What one way of forgetting a member gave (spec I6). Shares are 0 … 1. Plain JSON. */
export interface MethodEvidence {
  readonly method: "exact" | "recompute" | "eraser" | "sharded";
  /** Whether the method claims to give the model of training without the member, to the bit. */
  readonly claimsExact: boolean;
  readonly head: string;
  /** (a) Whether the head is that of training without the member from the start. */
  readonly equalsRetrained: boolean;
  /** Rounds that were run again, those between the snapshot and t₀ among them; 0 for methods that run none. */
  readonly replayed: { readonly from: number; readonly rounds: number } | null;
  readonly failed: readonly { readonly round: number; readonly reason: string }[];
  /** (b) Area under the ROC of a loss threshold, the member's training samples against samples that nobody trained on. */
  readonly membership: {
    readonly after: number;
    /** |after − ½| ≤ .05. */
    readonly withinAsked: boolean;
    /** |after − that of the model that never saw the member| ≤ .05. */
    readonly asUnseen: boolean;
  };
  /** (c) */
  readonly accuracy: number;
  readonly others: OthersAccuracy;
  /** (d) ‖w' − w_retrained‖/‖w_retrained‖. */
  readonly distance: number;
  /** (e) Members' rounds of training, a calibration counting the share of one that it is. */
  readonly clientRounds: number;
  readonly seconds: number;
  readonly checks: readonly { readonly claim: string; readonly holds: boolean }[];
  readonly holds: boolean;
}

export interface OthersAccuracy {
  readonly mean: number;
  /** The member that it changed most for the worse, and by how much; null for what nothing is compared with. */
  readonly worst: { readonly member: number; readonly change: number } | null;
}

/** The evidence report of an unlearning. Its text is not trusted and appears as text only. */
export interface UnlearningReport {
  readonly version: 1;
  readonly experiment: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly code: string;
  readonly member: number;
  readonly attacker: boolean;
  /** Members forgotten before it in the same records. */
  readonly earlier: readonly number[];
  readonly federation: {
    readonly members: number;
    readonly cohort: number;
    readonly rounds: number;
    readonly data: string;
    readonly model: string;
    readonly parameters: number;
    readonly client: string;
    readonly rule: string;
  };
  /** The member's group and how many there are, where groups have models of their own. */
  readonly group: { readonly index: number; readonly groups: number; readonly members: readonly number[] } | null;
  /** t₀, the first round that an update of the member entered; null where none did. */
  readonly firstRound: number | null;
  readonly participations: number;
  readonly before: {
    readonly head: string;
    readonly accuracy: number;
    readonly othersMean: number;
    readonly auroc: number;
    /** ‖w − w_retrained‖/‖w_retrained‖: how far doing nothing is. */
    readonly distance: number;
  };
  /** Training without the member from the start, which was really done. */
  readonly retrained: {
    readonly head: string;
    readonly accuracy: number;
    readonly othersMean: number;
    readonly auroc: number;
    readonly clientRounds: number;
    readonly seconds: number;
  };
  readonly membershipTest: {
    readonly memberSamples: number;
    readonly heldOutSamples: number;
    /** What the member's samples are held against. */
    readonly heldOut: "own" | "test";
    /** Standard error of an area of ½ with so many samples. */
    readonly standardError: number;
    /** Whether the old model told the member's samples from others at all; if not, (b) shows nothing. */
    readonly memorised: boolean;
  };
  readonly othersOn: "own test samples" | "own training samples";
  readonly methods: readonly MethodEvidence[];
  readonly leftOut: readonly { readonly method: string; readonly because: string }[];
  /** (f) */
  readonly deletion: Deletion;
  readonly privacy: {
    readonly mode: string;
    readonly unit: "member" | "record";
    readonly epsilon: number;
    readonly delta: number;
  } | null;
  /** Of the exact method where one ran, else of all: an approximation beside it takes nothing from an exact model. */
  readonly holds: boolean;
}

/** What was kept of the member, and whether it still is (spec I5). */
export interface Deletion {
  /** Whether the records of the run with the member are gone, and those of the run without it stand in their place. */
  readonly done: boolean;
  readonly why: string;
  readonly items: readonly { readonly what: string; readonly amount: string }[];
  /** Others' contributions and reputations, as the old run left them and as replaying did. */
  readonly standings: readonly {
    readonly member: number;
    readonly reputation: readonly [before: number, after: number];
    /** Units of 2^-20 nats; null where none are kept. */
    readonly contribution: readonly [before: number | null, after: number | null];
  }[];
  /** Σ of the others' contributions; null where none are kept. */
  readonly contributions: readonly [before: number, after: number] | null;
  readonly notUndone: readonly string[];
}
