// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type MechanismRequest, mechanismOf } from "../../src/cli/privacyMechanism.ts";
import { epsilonWith, planNoise, relationRows } from "../../src/cli/privacyPlan.ts";
import { worstCase } from "../../src/cli/privacyWorstCase.ts";
import { epsilonOfCharges } from "../../src/privacy/charge.ts";
import type { CohortSampling } from "../../src/privacy/deployment.ts";
import { leastEpsilon } from "../../src/privacy/rdp.ts";
import { roundCharge } from "../../src/privacy/roundCharge.ts";
import { ConfigError } from "../../src/protocol/errors.ts";
import { privacySchema } from "../../src/protocol/recipe/privacyConfig.ts";

const request = (more: Partial<MechanismRequest> = {}): MechanismRequest => ({
  mode: "central",
  rounds: 100,
  delta: 1e-5,
  clip: 1,
  ...more,
});
const near = (actual: number | undefined, expected: number, within = 1.5e-6): void =>
  assert.ok(Math.abs((actual as number) - expected) <= within * Math.max(1, expected), `${actual} is not ${expected}`);

/** ε of a recipe's whole run as a member's ledger books it, round by round. */
function bookedEpsilon(
  plan: ReturnType<typeof planNoise>,
  { sampling, rounds }: { readonly sampling: CohortSampling; readonly rounds: number },
): number {
  const { mechanism, recipe } = plan;
  const { records, steps } = mechanism;
  const charges = Array.from({ length: rounds + 1 }, (_, i) =>
    roundCharge(recipe, {
      federation: "test",
      run: 1n,
      round: i + 1,
      cohort: mechanism.cohort ?? 1,
      samples: records?.samples ?? 1,
      batchSize: records?.batchSize ?? 1,
      localSteps: steps,
      sampling,
      closing: i === rounds,
    }),
  );
  const account = charges[0] as (typeof charges)[number];
  return epsilonOfCharges(charges, account, mechanism.delta).epsilon;
}

describe("the least noise for an ε", () => {
  it("is D4's, for Poisson cohorts that stay secret", () => {
    for (const [epsilon, rounds, z] of [
      [4, 100, 1.486369],
      [4, 500, 2.750269],
      [4, 1000, 3.77657],
      [2, 100, 2.426316],
      [2, 500, 4.932654],
      [2, 1000, 6.887044],
    ] as const) {
      const plan = planNoise(mechanismOf(request({ rounds, sampling: 0.1 })), epsilon);
      near(plan.noiseMultiplier, z);
      assert.equal(plan.relation, "add-remove");
      assert.ok(plan.epsilon <= epsilon && plan.epsilon > epsilon - 1e-4, String(plan.epsilon));
    }
  });

  it("counts a published cohort as everybody, and shows both", () => {
    const secret = planNoise(mechanismOf(request({ rounds: 1000, sampling: 0.1 })), 2);
    near(secret.noiseMultiplier, 6.887044);
    near(secret.ifPublished?.noiseMultiplier, 67.9788, 1e-5);
    const published = planNoise(mechanismOf(request({ rounds: 1000, sampling: 0.1, published: true })), 2);
    assert.equal(published.noiseMultiplier, secret.ifPublished?.noiseMultiplier);
    assert.equal(published.ifPublished, undefined);
    assert.match(published.sampling.reason, /published/);
    assert.deepEqual("sampling" in published.recipe && published.recipe.sampling, {
      kind: "poisson",
      rate: 0.1,
      published: true,
    });
    const everybody = planNoise(mechanismOf(request({ rounds: 1000 })), 2);
    assert.equal(everybody.noiseMultiplier, published.noiseMultiplier);
    assert.equal(everybody.ifPublished, undefined);
  });

  it("says what each adds and what is on the mean of K", () => {
    const clip = 0.5;
    const cohort = 25;
    const central = planNoise(mechanismOf(request({ clip, cohort, sampling: 0.1 })), 4);
    const z = central.noiseMultiplier;
    assert.equal(central.sigma.member, 0);
    near(central.sigma.server, z * 0.5);
    near(central.sigma.mean, (z * 0.5) / 25);
    const distributed = planNoise(
      mechanismOf(request({ mode: "distributed", clip, cohort, sampling: 0.1, colluders: 9 })),
      4,
    );
    assert.equal(distributed.noiseMultiplier, z);
    near(distributed.sigma.member, (z * 0.5) / 4);
    near(distributed.sigma.mean, (z * 0.5) / 4 / 5);
    const local = planNoise(mechanismOf(request({ mode: "local", clip, cohort, rounds: 10 })), 4);
    near(local.sigma.member, local.noiseMultiplier);
    near(local.sigma.mean, local.noiseMultiplier / 5);
    const record = planNoise(mechanismOf(request({ mode: "record", clip, samples: 1000, batch: 20, epochs: 2 })), 4);
    near(record.sigma.member, record.noiseMultiplier * 0.5);
    near(record.sigma.mean, (record.noiseMultiplier * 0.5) / 20);
    assert.equal(central.loss, undefined);
    assert.equal(planNoise(mechanismOf(request()), 4).sigma.mean, undefined);
  });

  it("of updates alone is D4's at q = 1 in local mode, and D4's again in record mode", () => {
    const local = planNoise(mechanismOf(request({ mode: "local", rounds: 1000 })), 2);
    near(local.updatesAlone, 67.9788, 1e-5);
    assert.ok(local.noiseMultiplier > (local.updatesAlone as number));
    // q = 20/200, 10 steps of a pass, 10 rounds: D4's q = .1 and T = 100.
    const record = planNoise(
      mechanismOf(request({ mode: "record", rounds: 10, samples: 200, batch: 20, steps: 10 })),
      4,
    );
    near(record.updatesAlone, 1.486369);
    assert.equal(record.mechanism.steps, 10);
    const steps = { mode: "record" as const, rounds: 10, samples: 205, batch: 20 };
    assert.equal(mechanismOf(request({ ...steps, epochs: 2 })).steps, 22, "⌈205/20⌉ batches a pass");
    assert.equal(mechanismOf(request({ ...steps, steps: 7 })).steps, 7);
  });

  it("gives a recipe whose whole run a member's ledger books within the budget, and barely", () => {
    const everybody: CohortSampling = { kind: "everybody", rate: 1, published: true };
    const modes: readonly (readonly [Partial<MechanismRequest>, CohortSampling | undefined])[] = [
      [{ mode: "local", rounds: 10, cohort: 50 }, everybody],
      [{ mode: "record", rounds: 10, samples: 500, batch: 25, epochs: 1 }, everybody],
      [{ mode: "central", sampling: 0.1, rounds: 20 }, undefined],
      [{ mode: "central", sampling: 0.1, rounds: 20, published: true }, undefined],
      [{ mode: "distributed", sampling: 0.2, cohort: 30, rounds: 20, relation: "replace-one" }, undefined],
      [{ mode: "central", rounds: 20 }, everybody],
    ];
    for (const [more, drawn] of modes) {
      const mechanism = mechanismOf(request(more));
      const plan = planNoise(mechanism, 3);
      const { recipe } = plan;
      assert.deepEqual(privacySchema.parse(recipe), recipe);
      assert.deepEqual(recipe.budget, { epsilon: 3, delta: 1e-5 });
      const sampling = drawn ?? ("sampling" in recipe ? recipe.sampling : undefined) ?? everybody;
      const booked = bookedEpsilon(plan, { sampling, rounds: mechanism.rounds });
      assert.ok(booked <= 3 && booked > 3 - 1e-4, `${JSON.stringify(more)}: ${booked}`);
      near(booked, plan.epsilon, 1e-12);
      assert.ok(bookedEpsilon(plan, { sampling, rounds: mechanism.rounds + 1 }) > 3);
    }
  });

  it("keeps ε and needs no more than it must, whatever is asked", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.3, max: 20, noNaN: true }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 300 }),
        fc.constantFrom("add-remove" as const, "replace-one" as const),
        (epsilon, sampling, rounds, relation) => {
          const mechanism = mechanismOf(request({ rounds, sampling, relation }));
          const { noiseMultiplier: z } = planNoise(mechanism, epsilon);
          assert.ok(epsilonWith(mechanism, z).epsilon <= epsilon);
          assert.ok(epsilonWith(mechanism, z * (1 - 3e-6)).epsilon > epsilon);
        },
      ),
      { numRuns: 6, seed: 7 },
    );
  });

  it("is refused where no recipe could say it", () => {
    for (const epsilon of [0, -1, 1001, Number.NaN])
      assert.throws(() => planNoise(mechanismOf(request()), epsilon), /a budget is above 0 and at most 1000/);
    assert.throws(() => planNoise(mechanismOf(request({ delta: 0.5 })), 4), /No recipe can say this: budget.delta/);
    for (const share of [0, 1, 2])
      assert.throws(() => planNoise(mechanismOf(request({ mode: "local" })), 4, { share }), /share of ε is [012], its/);
  });
});

describe("a small ε", () => {
  it("has noise in every mode as long as it is above what the conversion costs, with a larger share for the losses", () => {
    for (const [epsilon, delta, rounds] of [
      [0.5, 1e-9, 1],
      [0.15, 1e-5, 10],
      [0.02, 1e-5, 10],
    ] as const)
      for (const more of [
        { mode: "local" },
        { mode: "record", samples: 500, batch: 25, steps: 20 },
        { mode: "central" },
        { mode: "distributed", cohort: 20, sampling: 0.1, relation: "replace-one" },
      ] as const) {
        const mechanism = mechanismOf(request({ ...more, delta, rounds }));
        const plan = planNoise(mechanism, epsilon);
        const { noiseMultiplier: z, loss, lossShare } = plan;
        assert.ok(epsilonWith(mechanism, z, loss?.noiseMultiplier).epsilon <= epsilon);
        assert.ok(epsilonWith(mechanism, z * (1 - 1e-5), loss?.noiseMultiplier).epsilon > epsilon);
        assert.equal(lossShare !== undefined, mechanism.mode === "local" || mechanism.mode === "record");
        if (lossShare === undefined) continue;
        assert.ok(lossShare > 0.1 && lossShare * epsilon > leastEpsilon(delta), String(lossShare));
        const stated = planNoise(mechanism, epsilon, { share: lossShare });
        assert.deepEqual(stated, plan, "the share that is printed can be stated");
      }
    assert.equal(planNoise(mechanismOf(request({ mode: "local" })), 1).lossShare, 0.1);
  });

  it("that no noise reaches is refused with the least there is; a share that is too small with one that is not", () => {
    const floor = leastEpsilon(1e-5);
    for (const more of [{}, { mode: "local" }, { mode: "record", samples: 500, batch: 25, epochs: 1 }] as const)
      assert.throws(
        () => planNoise(mechanismOf(request(more)), 0.01),
        /No noise keeps ε = 0\.01 at δ = 0\.00001: .* ε stays above 0\.0194\d+ at this δ\. Ask for an ε/,
      );
    const local = mechanismOf(request({ mode: "local", rounds: 10 }));
    assert.throws(
      () => planNoise(local, 0.15, { share: 0.1 }),
      (error: ConfigError) => {
        assert.deepEqual(error.values, { share: 0.1, epsilon: 0.15, delta: 1e-5, floor });
        const chosen = Number(/Leave --loss-share out, which takes ([\d.]+),/.exec(error.message)?.[1]);
        assert.equal(planNoise(local, 0.15, { share: chosen }).lossShare, chosen);
        return error instanceof ConfigError;
      },
    );
  });
});

describe("records of members with at least n samples", () => {
  const ofMember = (samples: number, batch: number, epochs: number, rounds: number) =>
    mechanismOf(request({ mode: "record", rounds, samples, batch, epochs }));

  it("keep ε for every n' from n on, and one of them barely", () => {
    for (const [n, batch, epochs, rounds, epsilon] of [
      [2000, 20, 1, 50, 2],
      [203, 20, 2, 10, 4],
      [20, 10, 1, 1, 8],
      [8, 8, 1, 3, 1],
      [12, 4, 1, 1, 30],
    ] as const) {
      const { noiseMultiplier: z, loss, mechanism } = planNoise(ofMember(n, batch, epochs, rounds), epsilon);
      const spent = (samples: number) =>
        epsilonWith(ofMember(samples, batch, epochs, rounds), z, loss?.noiseMultiplier).epsilon;
      const all = Array.from({ length: 3 * batch + 1 }, (_, i) => spent(n + i));
      for (const more of [10, 30]) all.push(spent(n + more * batch + 1));
      assert.ok(Math.max(...all) <= epsilon, `${n}, ${batch}: ${Math.max(...all)}`);
      assert.ok(spent(mechanism.records?.samples as number) > epsilon - 1e-4);
    }
  });

  it("are planned for the one that spends most, which the plan names", () => {
    const plan = planNoise(ofMember(2000, 20, 1, 50), 2);
    assert.deepEqual([plan.mechanism.records?.samples, plan.mechanism.steps], [2001, 101]);
    assert.deepEqual([plan.least?.records?.samples, plan.least?.steps], [2000, 100]);
    // A batch more for one sample more: the plan for 2000 alone spent 2.0096 there.
    const alone = planNoise(
      mechanismOf(request({ mode: "record", rounds: 50, samples: 2000, batch: 20, steps: 100 })),
      2,
    );
    assert.equal(alone.least, undefined);
    near(
      epsilonWith(ofMember(2001, 20, 1, 50), alone.noiseMultiplier, alone.loss?.noiseMultiplier).epsilon,
      2.0096,
      1e-4,
    );
    // The least already begins a batch: nobody larger spends more.
    assert.equal(planNoise(ofMember(2001, 20, 1, 50), 2).least, undefined);
  });

  it("have no bound where there is hardly any noise, and that is said", () => {
    assert.throws(() => worstCase(ofMember(20, 10, 1, 1), 0.05), /nothing bounds .* --steps instead of --epochs/);
    assert.equal(worstCase(mechanismOf(request()), 0.05).mode, "central");
  });
});

describe("the ε of given noise", () => {
  it("is D5's under replace-one and D4's under add-remove, side by side and never mixed", () => {
    for (const [sigma, replaced, added] of [
      [2, 14.05375, 2.586652],
      [4, 5.837854, 1.081702],
      [8, 3.506144, 0.491169],
    ] as const) {
      const mechanism = mechanismOf(request({ sampling: 0.1, relation: "replace-one" }));
      near(epsilonWith(mechanism, sigma).epsilon, replaced);
      assert.equal(epsilonWith(mechanism, sigma).relation, "replace-one");
      near(epsilonWith(mechanismOf(request({ sampling: 0.1 })), sigma).epsilon, added);
      const rows = relationRows(mechanism, sigma);
      assert.deepEqual(
        rows.map(({ relation, rate, noiseMultiplier }) => [relation, rate, noiseMultiplier]),
        [
          ["add-remove", 0.1, sigma],
          ["replace-one", 0.1, sigma / 2],
          ["add-remove", 1, sigma],
          ["replace-one", 1, sigma / 2],
        ],
      );
      near(rows[0]?.epsilon as number, added);
      near(rows[1]?.epsilon as number, replaced);
      assert.match(rows[2]?.sampling ?? "", /published/);
      assert.ok((rows[2]?.epsilon as number) > added && (rows[3]?.epsilon as number) > replaced);
    }
  });

  it("names the order, and takes a published cohort for everybody", () => {
    const cohort = { sampling: 0.1, relation: "replace-one" } as const;
    assert.equal(epsilonWith(mechanismOf(request(cohort)), 4).order, 4);
    // D4: q = 1, z = 10, T = 100.
    const published = epsilonWith(mechanismOf(request({ sampling: 0.1, published: true })), 10);
    near(published.epsilon, 4.752728);
    assert.equal(published.order, 5);
  });

  it("says why the other relation has nothing to say about local releases and about batches of records", () => {
    const local = relationRows(mechanismOf(request({ mode: "local", rounds: 1 })), 5);
    near(local[0]?.epsilon as number, 0.794522);
    assert.deepEqual([local[1]?.relation, local[1]?.epsilon], ["add-remove", null]);
    const record = relationRows(mechanismOf(request({ mode: "record", samples: 100, batch: 1, steps: 10 })), 1);
    near(record[0]?.epsilon as number, 2.107753);
    assert.deepEqual([record[1]?.relation, record[1]?.epsilon], ["replace-one", null]);
    assert.ok(local[1]?.note !== "" && record[1]?.note !== "");
  });

  it("composes losses that are reported, one more than there are rounds", () => {
    const local = mechanismOf(request({ mode: "local", rounds: 49 }));
    // 49 updates and 50 losses with the same noise are 99 releases; D4: 100 at z = 10 are 4.752728.
    assert.ok(epsilonWith(local, 10, 10).epsilon < 4.752728);
    near(
      epsilonWith(local, 10, 10).epsilon,
      epsilonWith(mechanismOf(request({ mode: "local", rounds: 99 })), 10).epsilon,
      1e-12,
    );
    assert.throws(() => epsilonWith(mechanismOf(request()), 4, 4), /do not report losses/);
    assert.throws(() => epsilonWith(local, 1e-4), /0\.0001 is in no recipe/);
  });
});

describe("words that contradict each other are refused with the reason", () => {
  const record = { mode: "record", samples: 100, batch: 10, epochs: 1 } as const;
  const cases: readonly (readonly [string, Partial<MechanismRequest>, RegExp])[] = [
    ["local noise and sampling", { mode: "local", sampling: 0.1 }, /q = 0\.1 hides nobody/],
    ["local noise and a way to draw cohorts", { mode: "local", cohorts: "poisson" }, /hides nobody/],
    ["local noise and add-remove", { mode: "local", relation: "add-remove" }, /took part at all shows/],
    ["replace-one and Poisson cohorts", { relation: "replace-one", cohorts: "poisson" }, /accounted for add-remove/],
    ["add-remove and cohorts of fixed size", { relation: "add-remove", cohorts: "fixed-size" }, /stays K/],
    ["a rate above 1", { sampling: 1.5 }, /1\.5 is not in \(0, 1\]/],
    ["distributed noise without K", { mode: "distributed" }, /state K with --cohort/],
    ["colluders where the server adds noise", { colluders: 1, cohort: 4 }, /leave --colluders out/],
    ["records in central mode", { samples: 10 }, /--samples belongs to privacy of records/],
    ["records without their numbers", { mode: "record", samples: 10 }, /state --samples, --batch/],
    ["epochs and steps", { ...record, steps: 1 }, /either --epochs or --steps/],
    ["records and cohorts", { ...record, cohort: 10 }, /--cohort is about cohorts of members/],
    ["records and a published cohort", { ...record, published: true }, /--published is about cohorts/],
    ["records and replace-one", { ...record, relation: "replace-one" }, /draws its batches by Poisson/],
    ["records and the length of an update's noise", { ...record, parameters: 10 }, /leave it out/],
    ["local noise and a published cohort", { mode: "local", published: true }, /leave --published out/],
    ["batches larger than the data", { ...record, batch: 200 }, /Batches of 200 cannot be drawn from 100/],
    ["a δ of 1", { delta: 1 }, /δ is 1/],
  ];
  for (const [name, more, reason] of cases)
    it(name, () =>
      assert.throws(
        () => mechanismOf(request(more)),
        (error) => error instanceof ConfigError && reason.test(error.message),
      ),
    );

  it("reported losses where single members report none", () => {
    for (const more of [{}, { mode: "distributed", cohort: 10 }] as const)
      for (const loss of [{ clip: 4 }, { share: 0.1 }])
        assert.throws(() => planNoise(mechanismOf(request(more)), 4, loss), /do not report losses .* --loss-share out/);
  });

  it("too many colluders", () => {
    const mechanism = mechanismOf(request({ mode: "distributed", cohort: 10, colluders: 6 }));
    assert.throws(() => planNoise(mechanism, 4), /at most half of 10/);
  });
});
