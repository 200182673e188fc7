// SPDX-License-Identifier: Apache-2.0
import { splitReward } from "../../incentives/splitReward.ts";
import type { LedgerReader, RunView } from "../../protocol/ledger.ts";
import type { Standings } from "../ledgerOfStandings.ts";
import { FalseLink } from "../links.ts";

/** The chain's accounts of all members equal the replayed ones. */
export async function checkStandings(ledger: LedgerReader, run: bigint, standings: Standings): Promise<void> {
  const count = await ledger.memberCount();
  for (let memberId = 1; memberId <= count; memberId++) {
    const onChain = await ledger.standingOf(run, memberId);
    const replayed = standings.of(memberId);
    for (const field of ["reputationQ16", "contribution", "participation"] as const) {
      if (onChain[field] !== replayed[field]) {
        throw new FalseLink(
          "reputation",
          `Member ${memberId} has ${field} ${onChain[field]} on chain; the rounds give ${replayed[field]}.`,
        );
      }
    }
  }
}

/** The settlement, if there is one, is the split of the escrowed pool by the replayed accounts; the accounts show the same rewards. */
export async function checkSettlement(
  ledger: LedgerReader,
  { run, params, settled }: RunView,
  standings: Standings,
): Promise<boolean> {
  const settlement = await ledger.settlement(run);
  const fail = (detail: string): never => {
    throw new FalseLink("settlement", detail);
  };
  if (settlement === undefined)
    return settled ? fail(`The contract says that run ${run} is settled; its settlement is missing.`) : false;
  if (settlement.pool < params.pool)
    fail(`The settled pool is ${settlement.pool}; ${params.pool} were escrowed at the opening.`);
  const members = standings.members();
  const split = splitReward(
    settlement.pool,
    params.omegaQ16,
    members.map((memberId) => {
      const { contribution, participation } = standings.of(memberId);
      return { memberId, contribution, participation: BigInt(participation) };
    }),
  );
  if (settlement.refund !== split.refund)
    fail(`The sponsor was refunded ${settlement.refund}; the rounds give ${split.refund}.`);
  const due = new Map(members.map((memberId, i) => [memberId, split.amounts[i] as bigint]));
  const listed = new Map(settlement.rewards.map(({ memberId, amount }) => [memberId, amount]));
  for (const memberId of new Set([...due.keys(), ...listed.keys()])) {
    const expected = due.get(memberId) ?? 0n;
    const paid = listed.get(memberId) ?? 0n;
    if (paid !== expected) fail(`Member ${memberId} was awarded ${paid}; the rounds give ${expected}.`);
    const { reward } = await ledger.standingOf(run, memberId);
    if (reward !== expected)
      fail(`The account of member ${memberId} shows a reward of ${reward}; the rounds give ${expected}.`);
  }
  return true;
}
