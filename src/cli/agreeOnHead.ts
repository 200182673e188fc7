// SPDX-License-Identifier: Apache-2.0
import { redactUrl } from "../chain/errors.ts";
import type { Hex } from "../protocol/bytes.ts";
import { ConfigError, EXIT, FoedusError } from "../protocol/errors.ts";
import type { LedgerReader } from "../protocol/ledger.ts";

/** Questions to an endpoint that lags behind, one per block of the other, before it counts as standing still. */
const PATIENCE_BLOCKS = 20;

/**
 * The head after the last finalised round (up to `round`) on which all endpoints agree, or undefined when there is only one endpoint to ask.
 *
 * @throws FoedusError ENDPOINTS_DISAGREE when two name different heads for one round, which no honest pair does;
 *   ENDPOINT_BEHIND when one does not know the round yet.
 */
export async function agreeOnHead(
  ledgers: readonly [LedgerReader, ...LedgerReader[]],
  { run, round, rpc }: { readonly run: bigint; readonly round?: number | undefined; readonly rpc: readonly string[] },
): Promise<Hex | undefined> {
  const [first, ...others] = ledgers;
  if (others.length === 0) return undefined;
  const { chainId, addresses } = first;
  const lastFinalised = await lastFinalisedRound(first, run, round);
  const head = (await first.recordOf(run, lastFinalised))?.head;
  for (const [i, other] of others.entries()) {
    const [a, b] = [redactUrl(rpc[0] as string), redactUrl(rpc[i + 1] as string)];
    if (other.chainId !== chainId)
      throw new ConfigError(
        `${a} serves chain ${chainId} and ${b} chain ${other.chainId}. Give endpoints of one chain.`,
        { a, b },
      );
    if (other.addresses.trainingLedger !== addresses.trainingLedger)
      throw new ConfigError(`${a} and ${b} were asked for different contracts.`, { a, b });
    const theirs = await headAt(other, first, run, lastFinalised, b);
    if (theirs !== head) {
      throw new FoedusError(
        "ENDPOINTS_DISAGREE",
        `For round ${lastFinalised} of run ${run}, ${a} names the head ${head} and ${b} names ${theirs}: one of them shows an invented history. Ask a third.`,
        {
          values: { run, round: lastFinalised, a, b, headOfA: head, headOfB: theirs },
        },
      );
    }
  }
  return head;
}

async function headAt(
  ledger: LedgerReader,
  clock: LedgerReader,
  run: bigint,
  round: number,
  url: string,
): Promise<Hex> {
  for (let waited = 0; ; waited++) {
    const { lastRound } = await ledger.runView(run);
    const record = round > lastRound ? undefined : await ledger.recordOf(run, round);
    if (record !== undefined) return record.head;
    if (waited === PATIENCE_BLOCKS) {
      throw new FoedusError(
        "ENDPOINT_BEHIND",
        `${url} does not know that round ${round} of run ${run} was finalised. Wait until it has caught up, or give another endpoint.`,
        {
          exitCode: EXIT.unreachable,
          values: { run, round, url },
        },
      );
    }
    await clock.waitForBlockAfter(await clock.blockNumber());
  }
}

/** 0 (the genesis) when none was. */
async function lastFinalisedRound(ledger: LedgerReader, run: bigint, upTo: number | undefined): Promise<number> {
  const { lastRound } = await ledger.runView(run);
  for (let round = upTo ?? lastRound; round > 0; round--)
    if ((await ledger.recordOf(run, round)) !== undefined) return round;
  return 0;
}
