// SPDX-License-Identifier: Apache-2.0
import type { Hex } from "../../src/protocol/bytes.ts";
import { ZERO_WORD } from "../../src/protocol/commitment.ts";
import type {
  CommitRecord,
  LedgerWriter,
  Receipt,
  RoundView,
  RunView,
  ValidatorSet,
  VerdictRecord,
} from "../../src/protocol/ledger.ts";
import type { RoundFacts } from "../../src/protocol/schedule.ts";

/** Four validators; addresses name their index. */
export const VALIDATORS: ValidatorSet = {
  version: 1,
  digest: ZERO_WORD,
  validators: [0, 1, 2, 3].map((index) => ({
    id: index + 1,
    index,
    signer: addressOf(index),
    encryptionKey: `0x${String(index + 1).repeat(64)}` as Hex,
  })),
};

export function addressOf(index: number): string {
  return `0x${String(index).padStart(40, "a")}`;
}

export const RECEIPT: Receipt = { transaction: ZERO_WORD, block: 0, gasUsed: 0n };

/**
 * One round whose blocks a test makes by hand, so that a step can be held between two blocks: what a real chain, which mines while the test
 * looks, cannot do. Whole rounds on a real chain are in test/e2e and test/slow.
 */
export class ScriptedChain {
  block = 100;
  facts: RoundFacts;
  commits: CommitRecord[] = [];
  verdicts: VerdictRecord[] = [];
  run: Partial<RunView> = {};
  readonly #waiting = new Set<() => void>();

  readonly round: number;

  constructor(round: number, facts: Partial<RoundFacts> = {}) {
    this.round = round;
    this.facts = {
      openedBlock: 100,
      commitDeadline: 110,
      judgeDeadline: 120,
      attestDeadline: 130,
      finaliseDeadline: 150,
      commitEnd: 0,
      judgeEnd: 0,
      attestEnd: 0,
      finalisedBlock: 0,
      validators: 4,
      verdicts: 0,
      attestations: 0,
      accepted: 0,
      minAccepted: 3,
      ...facts,
    };
  }

  /** The next block, with what happened in it; resolves when everybody who waited for it has acted on it. */
  async mine(happened: Partial<RoundFacts> = {}): Promise<void> {
    this.facts = { ...this.facts, ...happened };
    this.block++;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
    await settled();
  }

  async mineTo(block: number): Promise<void> {
    while (this.block < block) await this.mine();
  }

  view(): RoundView {
    return {
      run: 1n,
      round: this.round,
      closing: false,
      facts: this.facts,
      head: ZERO_WORD,
      beaconBefore: ZERO_WORD,
      rosterBlock: 90,
      validatorSetVersion: 1,
      invited: 5,
      commits: this.commits.length,
      verdictBitmap: 0n,
      attestedBitmap: 0n,
    };
  }

  /** This chain as one account reads and writes it. */
  ledger(account: string, calls: Partial<LedgerWriter> = {}): LedgerWriter {
    const chain = this;
    const reads: Partial<LedgerWriter> = {
      account,
      chainId: 31_337n,
      blockNumber: async () => chain.block,
      roundView: async () => chain.view(),
      runView: async () => ({ run: 1n, lastRound: chain.round, settled: false, ...chain.run }) as RunView,
      commits: async () => chain.commits,
      verdicts: async () => chain.verdicts,
      validatorSet: async () => VALIDATORS,
      latestValidatorSetVersion: async () => 1,
      auditorsAt: async () => [],
      async waitForBlockAfter(block, signal) {
        signal?.throwIfAborted();
        if (chain.block <= block) {
          await new Promise<void>((resolve, reject) => {
            chain.#waiting.add(resolve);
            signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
          });
        }
        return chain.block;
      },
      ...calls,
    };
    return reads as LedgerWriter;
  }
}

/** Lets every promise that can go on go on. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
