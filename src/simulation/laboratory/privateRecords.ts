// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { extentOf } from "../../learning/algorithms/batches.ts";
import type { LocalAlgorithm } from "../../learning/algorithms/localAlgorithm.ts";
import type { Model } from "../../learning/model.ts";
import { epsilonOfCharges } from "../../privacy/charge.ts";
import { roundCharge } from "../../privacy/roundCharge.ts";
import { secretStream } from "../../privacy/secretStream.ts";
import type { PrivacyConfig } from "../../protocol/recipe/privacyConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import { recordPrivateTraining } from "../../round/recordPrivateTraining.ts";
import type { SpentPrivacy } from "./privateUploads.ts";

type RecordPrivate = Extract<PrivacyConfig, { mode: "record" }>;

/** DP-SGD at the members of a simulated run (spec D7). Batches and noise come from keyed streams, so that a cell can be repeated. */
export class PrivateRecords {
  readonly #config: RecordPrivate;
  readonly #plan: TrainingPlan;
  readonly #seed: string;
  #rounds = 0;

  constructor(config: RecordPrivate, plan: TrainingPlan, seed: number) {
    this.#config = config;
    this.#plan = plan;
    this.#seed = `laboratory ${seed}`;
  }

  /** How a member trains. */
  algorithm(model: Model, member: number): LocalAlgorithm {
    const secret = createHash("sha256").update(`${this.#seed} member ${member}`).digest();
    const { clipNorm, noiseMultiplier } = this.#config;
    const words = (round: number) => secretStream(secret, { run: 1n, round, purpose: "records" });
    return recordPrivateTraining(this.#plan, model, { clipNorm, noiseMultiplier, words });
  }

  book(): void {
    this.#rounds += 1;
  }

  /** ε of a record of a member with that many samples, which took part in every round; the reported loss is left out. */
  spent(samples: number): SpentPrivacy {
    const { delta } = this.#config.budget;
    const { batchSize } = this.#plan;
    const { steps } = extentOf(this.#plan, samples);
    const sampling = { kind: "everybody", rate: 1, published: true } as const;
    const charges = Array.from({ length: this.#rounds }, (_, i) => {
      const charge = roundCharge(this.#config, {
        federation: "laboratory",
        run: 1n,
        round: i + 1,
        cohort: 1,
        samples,
        batchSize,
        localSteps: steps,
        sampling,
      });
      return { ...charge, releases: charge.releases.filter(({ what }) => what === "update") };
    });
    const [first] = charges;
    return { epsilon: first === undefined ? 0 : epsilonOfCharges(charges, first, delta).epsilon, delta };
  }
}
