// SPDX-License-Identifier: Apache-2.0
import type { z } from "zod";
import { bitsOf } from "../protocol/bitmap.ts";
import { DecodeError } from "../protocol/errors.ts";
import type { RoundView } from "../protocol/ledger.ts";
import { quorum } from "../protocol/quorum.ts";
import type { roundViewSchema } from "./records.ts";

/**
 * The ledger's view of a round as facts. The contract states the phase for whatever block the endpoint means by "now", which differs between
 * nodes, so that is left out: `stateOf` derives it for the block one means.
 * @throws DecodeError when the view contradicts itself.
 */
export function roundView(run: bigint, round: number, view: z.output<typeof roundViewSchema>): RoundView {
  const { commitDeadline, judgeDeadline, attestDeadline, finaliseDeadline } = view;
  const ordered = [view.openedBlock, commitDeadline, judgeDeadline, attestDeadline, finaliseDeadline];
  const contradictions = [
    ordered.some((block, i) => i > 0 && block <= (ordered[i - 1] as number)) && "its deadlines do not ascend",
    view.quorum !== quorum(view.validators) && `its quorum is ${view.quorum} of ${view.validators}`,
    bitCount(view.verdictBitmap) !== view.verdicts && "its verdicts do not match their bitmap",
    bitCount(view.attestedBitmap) !== view.attestations && "its attestations do not match their bitmap",
    view.commits > view.places && "it has more commits than places",
  ].filter((sentence) => sentence !== false);
  if (contradictions.length > 0) {
    throw new DecodeError(
      `The chain endpoint's view of round ${round} of run ${run} contradicts itself: ${contradictions.join("; ")}.`,
      { run, round },
    );
  }
  return {
    run,
    round,
    closing: view.closing,
    facts: {
      openedBlock: view.openedBlock,
      commitDeadline,
      judgeDeadline,
      attestDeadline,
      finaliseDeadline,
      commitEnd: earlyEnd(view.commits, view.places, view.commitEnd),
      judgeEnd: earlyEnd(view.verdicts, view.validators, view.judgeEnd),
      attestEnd: earlyEnd(view.attestations, view.validators, view.attestEnd),
      finalisedBlock: view.finalisedBlock,
      validators: view.validators,
      verdicts: view.verdicts,
      attestations: view.attestations,
      accepted: bitCount(view.accepted),
      minAccepted: view.minAccepted,
    },
    head: view.head,
    beaconBefore: view.beaconBefore,
    // Round 1 counts records made in the run's opening block, the others those made before the previous opening.
    rosterBlock: round === 1 ? view.rosterBefore - 1 : view.rosterBefore,
    validatorSetVersion: view.validatorSetVersion,
    invited: view.invited,
    commits: view.commits,
    verdictBitmap: BigInt(view.verdictBitmap),
    attestedBitmap: BigInt(view.attestedBitmap),
  };
}

/** Block in which the last of those entitled acted; 0 while somebody has not. */
function earlyEnd(acted: number, entitled: number, end: number): number {
  return entitled > 0 && acted === entitled ? end : 0;
}

function bitCount(bitmap: number): number {
  return bitsOf(BigInt(bitmap)).length;
}
