// SPDX-License-Identifier: Apache-2.0
import { ServerClock } from "../../round/serverLearning/serverClock.ts";
import type { Figures } from "../studies/study.ts";
import { modelBytes } from "./deliverModel.ts";
import type { Federation } from "./federation.ts";
import type { RoundFacts } from "./simulateRound.ts";

/** Virtual time of a federation in rounds. */
export interface RoundClock {
  readonly time: number;
  /** A round has ended that did this. */
  round(facts: RoundFacts): void;
  /**
   * `virtualTime`, `handOvers`, `failovers`, `waitedSeconds` (no server to be had), `price` of all rounds, and `roundsAt-NAME` of every candidate.
   */
  figures(): Figures;
}

/** Bytes of a coordinate of the master model and of the optimiser's state, and of a member's reputation. */
const FLOAT64_BYTES = 8;

/** Where a cell names candidate servers, the clock that they and the members' links set; undefined elsewhere. What is learned does not depend on it. */
export function clockOf(federation: Federation): RoundClock | undefined {
  const { config, members, layout, random } = federation;
  if (config.servers === undefined) return undefined;
  const clock = new ServerClock(
    config.servers,
    members.map(({ id }) => id),
    random.derive("servers"),
  );
  return {
    get time() {
      return clock.time;
    },
    round({ round, sentBytes = new Map(), delivered }) {
      const downBytes = (member: number): number => delivered?.get(member)?.bytes ?? modelBytes(federation);
      const loads = Array.from(sentBytes, ([member, upBytes]) => ({ member, downBytes: downBytes(member), upBytes }));
      const vectors = 1 + Object.keys(federation.serverState).length;
      clock.advance(round, loads, FLOAT64_BYTES * (vectors * layout.size + members.length));
    },
    figures() {
      const { rounds, ...totals } = clock.totals;
      return {
        virtualTime: clock.time,
        ...totals,
        ...Object.fromEntries(Array.from(rounds, ([name, count]) => [`roundsAt-${name}`, count])),
      };
    },
  };
}
