// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../../protocol/random.ts";
import { speedClasses } from "./asynchrony/durations.ts";
import { chooseServer, type Link, linkKey, observeRound, openSelection, type SelectionState } from "./fedAdaSs.ts";
import type { ServersConfig } from "./serverConfig.ts";

/** What a member moves in a round. */
export interface RoundLoad {
  readonly member: number;
  readonly downBytes: number;
  readonly upBytes: number;
}

/** What rounds have taken and cost so far. */
export interface ClockTotals {
  /** Hand-overs of the federation's state to another server. */
  readonly handOvers: number;
  /** Rounds whose server failed in the middle. */
  readonly failovers: number;
  /** Seconds in which no server was to be had. */
  readonly waitedSeconds: number;
  /** Of all rounds' servers. */
  readonly price: number;
  /** Rounds that each candidate finished. */
  readonly rounds: ReadonlyMap<string, number>;
}

type Candidate = ServersConfig["candidates"][number];

/** A member in the middle of a round. */
interface Pending {
  readonly load: RoundLoad;
  /** When its own work is done, once it has the model; undefined before. */
  readonly computedAt: number | undefined;
  /** When the servers expect that, who do not see the jitter; undefined before. */
  readonly expectedAt: number | undefined;
}

/**
 * How long rounds take on a virtual clock where several servers could aggregate them. A round begins with the choice of a server (one that is fixed, or
 * by FedAdaSS, `fedAdaSs.ts`), which first takes over the state where another had it. A member gets the model, computes, and sends its update; the round
 * ends when the last update is aggregated: max_i (down/bw_is + compute_i + up/bw_is + rtt_is) + agg_s.
 *
 * Whether a server is up is known when one is chosen. One that fails in the middle is noticed `noticeSeconds` later, and the same round goes on at the
 * next best (the fixed one: when it is back): updates are sent again, and trained again only by who had no model yet. What is drawn is keyed: every
 * member's path to every server, and how it changes from round to round. FedAdaSS starts from one measurement of each path and then sees only those of
 * the server in use.
 */
export class ServerClock {
  readonly #config: ServersConfig;
  readonly #random: Random;
  readonly #computeSeconds: (member: number, round: number) => number;
  /** Without jitter: what a server expects of a member. */
  readonly #usualSeconds: (member: number, round: number) => number;
  #time = 0;
  #selection: SelectionState;
  #holder: string | undefined;
  #handOvers = 0;
  #failovers = 0;
  #waited = 0;
  #price = 0;
  readonly #rounds: Map<string, number>;

  constructor(config: ServersConfig, members: readonly number[], random: Random) {
    this.#config = config;
    this.#random = random;
    this.#computeSeconds = speedClasses(members, config.speeds, config.jitter, random);
    this.#usualSeconds = speedClasses(members, config.speeds, 0, random);
    this.#rounds = new Map(config.candidates.map(({ name }) => [name, 0]));
    this.#selection = openSelection(
      new Map(
        config.candidates.flatMap((server) =>
          members.map((member) => [linkKey(server.name, member), this.#link(server, member, 0)] as const),
        ),
      ),
    );
  }

  /** Virtual seconds since the start. */
  get time(): number {
    return this.#time;
  }

  get totals(): ClockTotals {
    return {
      handOvers: this.#handOvers,
      failovers: this.#failovers,
      waitedSeconds: this.#waited,
      price: this.#price,
      rounds: new Map(this.#rounds),
    };
  }

  /**
   * One round of the members that send something; the clock moves to its end.
   *
   * @param round from 1.
   * @param stateBytes what a server takes over: model, optimiser's state, reputations.
   * @returns the server that finished it; undefined where nobody sends anything, which takes no time.
   */
  advance(round: number, loads: readonly RoundLoad[], stateBytes: number): string | undefined {
    if (loads.length === 0) return undefined;
    let pending: readonly Pending[] = loads.map((load) => ({ load, computedAt: undefined, expectedAt: undefined }));
    for (;;) {
      const server = this.#serverFor(round, pending);
      const begun = this.#time;
      const start = begun + this.#takeOver(server, stateBytes);
      const arrivals = pending.map(({ load, computedAt }) => {
        const { bandwidth, roundTripSeconds } = this.#link(server, load.member, round);
        const received = start + load.downBytes / bandwidth;
        const computed = computedAt ?? received + this.#computeSeconds(load.member, round);
        const sent = (computed > start ? computed : start) + load.upBytes / bandwidth + roundTripSeconds;
        return { load, received, computed, sent };
      });
      const end = largest(arrivals.map(({ sent }) => sent)) + server.aggregationSeconds;
      const failure = firstFailure(server, begun, end);
      if (failure === undefined) {
        this.#finish(round, server, loads, end);
        return server.name;
      }
      this.#failovers += 1;
      this.#time = failure + this.#config.noticeSeconds;
      pending = arrivals.map(({ load, received, computed }, k) => {
        const before = pending[k];
        if (before?.computedAt !== undefined) return before;
        if (received > failure) return { load, computedAt: undefined, expectedAt: undefined };
        return { load, computedAt: computed, expectedAt: received + this.#usualSeconds(load.member, round) };
      });
    }
  }

  /** Who aggregates now, after waiting where nobody that may is up. */
  #serverFor(round: number, pending: readonly Pending[]): Candidate {
    const { candidates, choose } = this.#config;
    const allowed = choose.name === "fixed" ? candidates.filter(({ name }) => name === choose.server) : candidates;
    const since = this.#time;
    while (allowed.every((server) => isDown(server, this.#time)))
      this.#time = smallest(allowed.map((server) => outageAt(server, this.#time)?.to ?? this.#time));
    this.#waited += this.#time - since;
    if (choose.name === "fixed") return allowed[0] as Candidate;
    const { name: _, ...options } = choose;
    const { server } = chooseServer(
      this.#selection,
      round,
      candidates.map((one) => ({ ...one, up: !isDown(one, this.#time) })),
      pending.map(({ load, expectedAt }) => ({
        member: load.member,
        computeSeconds:
          expectedAt === undefined ? this.#usualSeconds(load.member, round) : atLeast0(expectedAt - this.#time),
        bytes: expectedAt === undefined ? load.downBytes + load.upBytes : load.upBytes,
      })),
      options,
      this.#random,
    );
    return candidates.find(({ name }) => name === server) as Candidate;
  }

  /** Seconds until the server has the federation's state; none where it has it, or where the run begins. */
  #takeOver(server: Candidate, stateBytes: number): number {
    const before = this.#holder;
    this.#holder = server.name;
    if (before === undefined || before === server.name) return 0;
    this.#handOvers += 1;
    return stateBytes / server.bandwidth + server.roundTripSeconds;
  }

  #finish(round: number, server: Candidate, loads: readonly RoundLoad[], end: number): void {
    this.#time = end;
    this.#price += server.price;
    this.#rounds.set(server.name, (this.#rounds.get(server.name) ?? 0) + 1);
    const observed = new Map(loads.map(({ member }) => [member, this.#link(server, member, round)]));
    this.#selection = observeRound(this.#selection, server.name, observed);
  }

  /** A member's path to a server in a round; round 0 is the measurement before the first. */
  #link({ name, bandwidth, roundTripSeconds }: Candidate, member: number, round: number): Link {
    const { pathSpread, pathJitter } = this.#config;
    const own = this.#random.derive("path", name, member);
    const now = this.#random.derive("path", name, member, round);
    const factor = (): number =>
      (1 + pathSpread * (2 * own.uniform() - 1)) * (1 + pathJitter * (2 * now.uniform() - 1));
    return { bandwidth: bandwidth * factor(), roundTripSeconds: roundTripSeconds * factor() };
  }
}

function outageAt({ outages }: Candidate, time: number): { readonly to: number } | undefined {
  return outages.find(({ from, to }) => from <= time && time < to);
}

function isDown(server: Candidate, time: number): boolean {
  return outageAt(server, time) !== undefined;
}

/** When a server that is up at `begun` fails before `end`. */
function firstFailure({ outages }: Candidate, begun: number, end: number): number | undefined {
  const within = outages.filter(({ from }) => from > begun && from < end).map(({ from }) => from);
  return within.length === 0 ? undefined : smallest(within);
}

function atLeast0(value: number): number {
  return value > 0 ? value : 0;
}

function smallest(values: readonly number[]): number {
  return values.reduce((least, value) => (value < least ? value : least));
}

function largest(values: readonly number[]): number {
  return values.reduce((most, value) => (value > most ? value : most));
}
