// SPDX-License-Identifier: Apache-2.0
import { quantile } from "../../numerics/quantiles.ts";
import { utf8 } from "../../protocol/bytes.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { sha256 } from "../../protocol/hash.ts";
import { log } from "../../protocol/math.ts";
import type { Random } from "../../protocol/random.ts";
import type { ServerSelectionConfig } from "./serverConfig.ts";

/** A candidate for aggregating the next round. */
export interface CandidateServer {
  readonly name: string;
  readonly up: boolean;
  /** Per round, any unit. */
  readonly price: number;
  /** agg_s, seconds. */
  readonly aggregationSeconds: number;
}

/** What is known of a member's round, wherever it is aggregated. */
export interface MemberLoad {
  readonly member: number;
  readonly computeSeconds: number;
  /** Down and up together. */
  readonly bytes: number;
}

/** Estimates of one path. */
export interface Link {
  /** Bytes per second. */
  readonly bandwidth: number;
  readonly roundTripSeconds: number;
}

export interface SelectionState {
  /** By {@link linkKey}. */
  readonly links: ReadonlyMap<string, Link>;
  /** Rounds that each server has aggregated. */
  readonly chosen: ReadonlyMap<string, number>;
}

/**
 * `priceWeight` is c_cost, `punctualityWeight` c_q; members slower than `deadline` seconds are late; servers whose utility is within the share
 * `reshuffleWithin` of the best's magnitude take turns.
 */
export type SelectionOptions = Omit<ServerSelectionConfig, "name">;

export interface ServerChoice {
  readonly server: string;
  /** `best` by utility, with its bonus under `ucb`; one `rotation` away from it; or drawn at random. */
  readonly why: "best" | "rotation" | "exploration";
  /** T_s of every server that is up, by name. */
  readonly predictedSeconds: ReadonlyMap<string, number>;
  readonly utilities: ReadonlyMap<string, number>;
}

/** Weight of a new observation in the moving averages of a link. */
const EMA = 0.2;

export function linkKey(server: string, member: number): string {
  return `${member}@${server}`;
}

/** Nothing observed, nobody chosen; links may be given from measurements. */
export function openSelection(links: ReadonlyMap<string, Link>): SelectionState {
  return { links, chosen: new Map() };
}

/**
 * Chooses the server of a round (after FedAdaSS, CMES 2024; the formulas are spec E23's, the article's were not available):
 *
 *     T_s = quantile_0.9 over members (compute_i + bytes_i/bandwidth_is + rtt_is) + agg_s
 *     U_s = −T_s/T̄ − c_cost·price_s/price̅ + c_q·(share of members within the deadline)
 *
 * The best server, or with probability ε any that is up; with `ucb` utilities first get √(2 ln t/n_s), and a server that never served comes first.
 * Adaptive random reshuffling: those within 5 % (`reshuffleWithin`) of the best take turns in keyed order. A server that is down is not a candidate:
 * calling again with the same round and `up: false` is the failover, to the next best.
 *
 * @param random names the run; only streams derived from it and the round are used.
 * @throws ConfigError when no server is up, or a path to one was never measured.
 */
export function chooseServer(
  state: SelectionState,
  round: number,
  servers: readonly CandidateServer[],
  members: readonly MemberLoad[],
  options: SelectionOptions,
  random: Random,
): ServerChoice {
  const candidates = servers.filter(({ up }) => up);
  if (candidates.length === 0 || members.length === 0)
    throw new ConfigError(
      `None of ${servers.length} servers is up, or no member takes part; there is nothing to choose.`,
      {
        servers: servers.length,
        members: members.length,
      },
    );
  const times = candidates.map(({ name }) => members.map((load) => memberSeconds(state, name, load)));
  const predicted = candidates.map(
    ({ aggregationSeconds }, s) => quantile(times[s] as number[], 0.9) + aggregationSeconds,
  );
  const [usualTime, usualPrice] = [mean(predicted), mean(candidates.map(({ price }) => price))];
  const utilities = candidates.map(({ price }, s) => {
    const punctual = mean((times[s] as number[]).map((seconds) => (seconds <= options.deadline ? 1 : 0)));
    const cost = usualPrice > 0 ? price / usualPrice : 0;
    return -(predicted[s] as number) / usualTime - options.priceWeight * cost + options.punctualityWeight * punctual;
  });
  const named = (values: readonly number[]) => new Map(candidates.map(({ name }, s) => [name, values[s] as number]));
  const choose = (place: number, why: ServerChoice["why"]): ServerChoice => ({
    server: (candidates[place] as CandidateServer).name,
    why,
    predictedSeconds: named(predicted),
    utilities: named(utilities),
  });

  const stream = random.derive("server", round);
  if (options.explore.kind === "epsilon-greedy" && stream.uniform() < options.explore.epsilon)
    return choose(stream.integerBelow(candidates.length), "exploration");
  const counts = candidates.map(({ name }) => state.chosen.get(name) ?? 0);
  const scores = options.explore.kind === "ucb" ? utilities.map((u, s) => u + bonus(counts, s)) : utilities;
  const best = scores.reduce((most, score) => Math.max(most, score));
  const near = scores.flatMap((score, s) =>
    score === best || best - score <= options.reshuffleWithin * Math.abs(best) ? [s] : [],
  );
  // One order for as many rounds as there are servers near the best, so that each has its turn.
  const turn = random.derive("rotation", Math.floor(round / near.length), near.length).shuffled(near);
  const place = turn[round % near.length] as number;
  return choose(place, scores[place] === best ? "best" : "rotation");
}

/** What a finished round teaches: the server served once more, and the links' estimates move by 0.2 towards what was observed. */
export function observeRound(
  state: SelectionState,
  server: string,
  observed: ReadonlyMap<number, Link>,
): SelectionState {
  const links = new Map(state.links);
  for (const [member, { bandwidth, roundTripSeconds }] of observed) {
    const key = linkKey(server, member);
    const before = links.get(key);
    links.set(key, {
      bandwidth: before === undefined ? bandwidth : before.bandwidth + EMA * (bandwidth - before.bandwidth),
      roundTripSeconds:
        before === undefined
          ? roundTripSeconds
          : before.roundTripSeconds + EMA * (roundTripSeconds - before.roundTripSeconds),
    });
  }
  return { links, chosen: new Map(state.chosen).set(server, (state.chosen.get(server) ?? 0) + 1) };
}

/**
 * What the next server takes over, as one SHA-256: whoever hands over and whoever takes over compare it. Parts are named and enter in the order of
 * their names.
 *
 * @param parts the model, the optimiser's state, reputations, each as its canonical bytes.
 */
export function handOverDigest(round: number, parts: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const names = Object.keys(parts).sort((a, b) => (a < b ? -1 : 1));
  const header = utf8(JSON.stringify({ what: "foedus.v1.hand-over", round, names }));
  return sha256(sha256(header), ...names.map((name) => sha256(parts[name] as Uint8Array)));
}

function memberSeconds(state: SelectionState, server: string, { member, computeSeconds, bytes }: MemberLoad): number {
  const link = state.links.get(linkKey(server, member));
  if (link === undefined || !(link.bandwidth > 0))
    throw new ConfigError(`The path from member ${member} to ${server} was never measured; give a link estimate.`, {
      member,
      server,
    });
  return computeSeconds + bytes / link.bandwidth + link.roundTripSeconds;
}

/** √(2 ln t/n_s); larger than any utility for a server that never served. */
function bonus(counts: readonly number[], s: number): number {
  const count = counts[s] as number;
  const rounds = counts.reduce((sum, n) => sum + n, 0);
  return count === 0 ? 1e6 : Math.sqrt((2 * log(Math.max(1, rounds))) / count);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
