// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { type Charge, epsilonOfCharges } from "../../privacy/charge.ts";
import { adaptedClipNorm, noisyFraction } from "../../privacy/clipNorm.ts";
import type { CohortSampling } from "../../privacy/deployment.ts";
import { addCentralNoise, centralSigma, noiseStage } from "../../privacy/noiseStage.ts";
import { roundCharge } from "../../privacy/roundCharge.ts";
import { secretStream } from "../../privacy/secretStream.ts";
import { MASTER_EXTRA_BITS, powerOfTwo } from "../../protocol/grid.ts";
import type { ModelLayout } from "../../protocol/layout.ts";
import type { NoiseStage } from "../../protocol/noiseStage.ts";
import type { CodecConfig } from "../../protocol/recipe/codecConfig.ts";
import type { PrivacyConfig } from "../../protocol/recipe/privacyConfig.ts";
import { formOf } from "../../update/codecs.ts";
import { maskOf } from "../../update/payload.ts";
import { cohortSize, type FederationConfig, type SizedFederation } from "./cellConfig.ts";

type Private = Exclude<PrivacyConfig, { mode: "none" | "record" }>;

/** δ of the ε that results show: what the recipe's budget names. */
export interface SpentPrivacy {
  readonly epsilon: number;
  readonly delta: number;
}

/**
 * Privacy of a simulated run: every member's stage, the server's noise where the deployment has the server add it, and what has been spent. Noise comes from
 * keyed streams, so that a cell can be repeated; a real member's secret is its own.
 */
export class PrivateRun {
  readonly #config: Private;
  readonly #layout: ModelLayout;
  readonly #sampling: CohortSampling;
  readonly #seed: string;
  readonly #charges: Charge[] = [];
  readonly #codec: CodecConfig;
  /** qN or K, whoever comes. */
  readonly #expected: number;
  /** C, which moves where it is adapted. */
  #clipNorm: number;

  constructor(config: Private, cell: SizedFederation, layout: ModelLayout, seed: number) {
    this.#config = config;
    this.#clipNorm = config.clipNorm;
    this.#layout = layout;
    this.#seed = `laboratory ${seed}`;
    this.#sampling = samplingOf(cell);
    this.#codec = cell.update.codec;
    this.#expected = cohortSize(cell);
  }

  /** What a member does to its update. */
  stage(round: number, member: number, cohort: number): NoiseStage {
    return noiseStage(this.#config, {
      run: 1n,
      round,
      layout: this.#layout,
      cohort,
      secret: this.#secret(member),
      clipNorm: this.#clipNorm,
    });
  }

  /**
   * The server's noise on the master model's movement: zC/K on the mean of K clipped updates; nothing where members have added theirs, or nobody does.
   *
   * @param movement units 2^-(F+16), in place.
   */
  addServerNoise(movement: Float64Array, round: number, accepted: number): void {
    if (this.#config.mode !== "central") return;
    const sigma = centralSigma(this.#config, this.#clipNorm);
    const noise = new Float64Array(movement.length);
    const words = secretStream(this.#secret(0), { run: 1n, round, purpose: "update" });
    const form = formOf(this.#codec);
    const coordinates = form.support.kind === "mask" ? maskOf(form, this.#layout.size, { run: 1n, round }) : undefined;
    addCentralNoise(noise, this.#layout, { sigma, words, ...(coordinates === undefined ? {} : { coordinates }) });
    // The mean's denominator is fixed: the number that came would tell of a client's presence.
    const share = accepted / this.#expected;
    const scale = powerOfTwo(MASTER_EXTRA_BITS) / this.#expected;
    for (let j = 0; j < movement.length; j++)
      movement[j] = Math.round((movement[j] as number) * share + (noise[j] as number) * scale) + 0;
  }

  /** Books a round: what it costs a member that took part in every one. */
  book(round: number, cohort: number): void {
    this.#charges.push(
      roundCharge(this.#config, {
        federation: "laboratory",
        run: 1n,
        round,
        cohort,
        samples: 1,
        batchSize: 1,
        localSteps: 1,
        sampling: this.#sampling,
        clipNorm: this.#clipNorm,
      }),
    );
  }

  /**
   * The next round's C, where it follows a quantile of the updates' lengths.
   *
   * @param within updates that the clip left as they were.
   */
  adapt(round: number, within: number, cohort: number): void {
    if (this.#config.mode !== "central" || this.#config.adaptive === undefined) return;
    const words = secretStream(this.#secret(0), { run: 1n, round, purpose: "count" });
    const fraction = noisyFraction(
      { within, participants: cohort, expected: this.#expected },
      this.#config.adaptive.countNoise,
      words,
    );
    this.#clipNorm = adaptedClipNorm(this.#clipNorm, fraction, this.#config.adaptive);
  }

  /** ε of the updates of all rounds together; the reported loss, which a simulation does not publish, is left out. */
  spent(): SpentPrivacy {
    const { delta } = this.#config.budget;
    const first = this.#charges[0];
    if (first === undefined) return { epsilon: 0, delta };
    const updates = this.#charges.map((charge) => ({
      ...charge,
      releases: charge.releases.filter(({ what }) => what === "update"),
    }));
    return { epsilon: epsilonOfCharges(updates, first, delta).epsilon, delta };
  }

  #secret(member: number): Uint8Array {
    return createHash("sha256").update(`${this.#seed} member ${member}`).digest();
  }
}

/** How cohorts are drawn, as far as privacy counts it: as the recipe states, or as the simulation draws them, which nobody else sees. */
export function samplingOf(cell: Pick<FederationConfig, "privacy" | "participation" | "members">): CohortSampling {
  const { privacy, participation, members } = cell;
  const stated = privacy !== undefined && "sampling" in privacy ? privacy.sampling : undefined;
  if (stated !== undefined) return stated;
  if (participation === 1) return { kind: "everybody", rate: 1, published: true };
  return { kind: "fixed-size", rate: cohortSize(cell) / members, published: false };
}
