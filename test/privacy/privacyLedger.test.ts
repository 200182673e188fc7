// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Charge, epsilonOfCharges, federationName } from "../../src/privacy/charge.ts";
import { entryDigest, LEDGER_START, parseLedger } from "../../src/privacy/ledgerEntry.ts";
import { PrivacyLedger } from "../../src/privacy/privacyLedger.ts";
import { epsilonOf, fixedSizeGaussian, repeatRdp } from "../../src/privacy/rdp.ts";
import { requireLedger } from "../../src/privacy/requireLedger.ts";
import { type RoundFacts, roundCharge } from "../../src/privacy/roundCharge.ts";
import { spendingOf } from "../../src/privacy/spending.ts";

const BUDGET = { epsilon: 4, delta: 1e-5 };
const CLIENT = { unit: "client", relation: "replace-one" } as const;
const HERE = federationName(31_337n, "0xAbCd");
const chargeFor = (round: number, changes: Partial<Charge> = {}): Charge => ({
  federation: HERE,
  run: 1n,
  round,
  ...CLIENT,
  sigma: 12,
  clipNorm: 1,
  releases: [{ what: "update", samplingRate: 1, noiseMultiplier: 6, steps: 1 }],
  ...changes,
});

let folder = "";
let files = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "foedus-ledger-"));
});
after(() => rm(folder, { recursive: true, force: true }));
const newPath = (): string => join(folder, `ledger-${files++}`, "privacy.jsonl");

async function withLedger<T>(path: string, use: (ledger: PrivacyLedger) => Promise<T>): Promise<T> {
  const ledger = await PrivacyLedger.open(path);
  try {
    return await use(ledger);
  } finally {
    await ledger.close();
  }
}

describe("PrivacyLedger", () => {
  it("writes down ε of everything so far, and finds it again", async () => {
    const path = newPath();
    await withLedger(path, async (ledger) => {
      assert.equal(ledger.head, LEDGER_START);
      assert.equal(ledger.spent(CLIENT, 1e-5).epsilon, 0);
      for (const round of [1, 2, 3]) await ledger.charge(chargeFor(round), BUDGET);
      const three = epsilonOf(repeatRdp(fixedSizeGaussian(1, 6), 3), 1e-5).epsilon;
      assert.ok(Math.abs((ledger.entries[2]?.epsilon as number) - three) < 1e-12);
      assert.equal(ledger.spent(CLIENT, 1e-5).epsilon, ledger.entries[2]?.epsilon);
    });
    await withLedger(path, async (ledger) => {
      assert.deepEqual(
        ledger.entries.map(({ round }) => round),
        [1, 2, 3],
      );
      assert.equal(ledger.entries[2]?.previous, entryDigest(ledger.entries[1] as (typeof ledger.entries)[number]));
      assert.equal(ledger.head, entryDigest(ledger.entries[2] as (typeof ledger.entries)[number]));
      await ledger.charge(chargeFor(4), BUDGET);
    });
    assert.equal((await readFile(path, "utf8")).trimEnd().split("\n").length, 4);
  });

  it("BUDGET_SPENT: refuses the round that would not fit, with the numbers, and writes nothing", async () => {
    const path = newPath();
    await withLedger(path, async (ledger) => {
      let refused: unknown;
      const left = ledger.roundsLeft(chargeFor(1), BUDGET);
      for (let round = 1; refused === undefined && round < 1_000; round++)
        await ledger.charge(chargeFor(round), BUDGET).catch((error) => {
          refused = error;
        });
      const { code, values, message } = refused as { code: string; values: Record<string, number>; message: string };
      assert.equal(code, "BUDGET_SPENT");
      assert.ok((values.spent as number) <= 4 && (values.wanted as number) > 4 && values.budget === 4);
      assert.match(message, /trains no further on this data; leave the run, or agree on a larger budget/);
      const { length } = ledger.entries;
      assert.equal(length, left);
      assert.equal(ledger.roundsLeft(chargeFor(1), BUDGET), 0);
      const free = chargeFor(1, { releases: [{ what: "update", samplingRate: 0, noiseMultiplier: 1, steps: 1 }] });
      assert.equal(ledger.roundsLeft(free, BUDGET), 1_000_000);
      assert.equal((await readFile(path, "utf8")).trimEnd().split("\n").length, length);
      // A smaller charge may still fit; it is the sum that counts.
      await ledger.charge(
        chargeFor(5_000, { releases: [{ what: "update", samplingRate: 1, noiseMultiplier: 1e5, steps: 1 }] }),
        BUDGET,
      );
      await assert.rejects(ledger.charge(chargeFor(5_001), { epsilon: Number.NaN, delta: 1e-5 }), {
        code: "BUDGET_SPENT",
      });
    });
  });

  it("a round is charged once, however often it is prepared; other noise for it is refused", async () => {
    await withLedger(newPath(), async (ledger) => {
      const entry = await ledger.charge(chargeFor(1), BUDGET);
      assert.deepEqual(await ledger.charge(chargeFor(1), BUDGET), entry);
      assert.equal(ledger.entries.length, 1);
      await assert.rejects(ledger.charge(chargeFor(1, { sigma: 11 }), BUDGET), { code: "CHARGE_CHANGED" });
      await assert.rejects(
        ledger.charge(
          chargeFor(1, { releases: [{ what: "update", samplingRate: 1, noiseMultiplier: 5, steps: 1 }] }),
          BUDGET,
        ),
        { code: "CHARGE_CHANGED" },
      );
    });
  });

  it("run 1 of another federation is another run", async () => {
    await withLedger(newPath(), async (ledger) => {
      await ledger.charge(chargeFor(1), BUDGET);
      const other = chargeFor(1, { federation: federationName(31_337n, "0xabce") });
      const { epsilon } = await ledger.charge(other, BUDGET);
      assert.equal(epsilon, epsilonOfCharges([chargeFor(1), other], CLIENT, 1e-5).epsilon);
      const lost = { code: "PRIVACY_LEDGER_LOST" };
      assert.throws(() => requireLedger(ledger.entries.slice(1), [{ federation: HERE, run: 1n, round: 1 }]), lost);
    });
  });

  it("tells what was spent of each kind, and what fits the budget of the last round", async () => {
    assert.deepEqual(spendingOf([]), []);
    await withLedger(newPath(), async (ledger) => {
      for (const round of [1, 2]) await ledger.charge(chargeFor(round), BUDGET);
      const record = { unit: "record", relation: "add-remove" } as const;
      const { epsilon } = await ledger.charge(chargeFor(3, record), { epsilon: 2, delta: 1e-6 });
      assert.deepEqual(spendingOf(ledger.entries), [
        {
          ...CLIENT,
          epsilon: ledger.entries[1]?.epsilon,
          delta: 1e-5,
          budget: 4,
          rounds: 2,
          roundsLeft: ledger.roundsLeft(chargeFor(4), BUDGET),
        },
        {
          ...record,
          epsilon,
          delta: 1e-6,
          budget: 2,
          rounds: 1,
          roundsLeft: ledger.roundsLeft(chargeFor(4, record), { epsilon: 2, delta: 1e-6 }),
        },
      ]);
    });
  });

  it("charges that come at once are written one after the other", async () => {
    await withLedger(newPath(), async (ledger) => {
      await Promise.all([1, 2, 3, 4].map((round) => ledger.charge(chargeFor(round), BUDGET)));
      assert.deepEqual(
        ledger.entries.map(({ index }) => index),
        [0, 1, 2, 3],
      );
    });
  });

  it("keeps accounts of added and of replaced neighbours, of clients and of records, apart", async () => {
    await withLedger(newPath(), async (ledger) => {
      await ledger.charge(chargeFor(1), BUDGET);
      const record = await ledger.charge(chargeFor(2, { unit: "record", relation: "add-remove" }), BUDGET);
      const alone = epsilonOfCharges([chargeFor(1)], CLIENT, 1e-5).epsilon;
      assert.equal(ledger.spent(CLIENT, 1e-5).epsilon, alone);
      assert.equal(ledger.spent({ unit: "client", relation: "add-remove" }, 1e-5).epsilon, 0);
      assert.equal(ledger.spent(record, 1e-5).relation, "add-remove");
    });
    assert.throws(
      () => epsilonOfCharges([chargeFor(1)], { ...CLIENT, relation: "add-remove" }, 1e-5),
      /cannot be combined/,
    );
    assert.throws(() => epsilonOfCharges([chargeFor(1)], { ...CLIENT, unit: "record" }, 1e-5), /cannot be combined/);
  });

  it("drops the half line of a crash, and goes on", async () => {
    const path = newPath();
    await withLedger(path, (ledger) => ledger.charge(chargeFor(1), BUDGET));
    const whole = await readFile(path, "utf8");
    await appendFile(path, whole.slice(0, 40));
    await withLedger(path, async (ledger) => {
      assert.equal(ledger.entries.length, 1);
      await ledger.charge(chargeFor(2), BUDGET);
    });
    assert.equal(parseLedger(await readFile(path, "utf8")).entries.length, 2);
  });

  it("PRIVACY_LEDGER_DAMAGED: a changed figure, a missing or doubled line, lines that are none", async () => {
    const path = newPath();
    await withLedger(path, async (ledger) => {
      for (const round of [1, 2, 3]) await ledger.charge(chargeFor(round), BUDGET);
    });
    const text = await readFile(path, "utf8");
    const lines = text.split("\n");
    const damages = [
      text.replace('"sigma":12', '"sigma":13'),
      [lines[0], lines[2], ""].join("\n"),
      [lines[0], lines[0], lines[1], ""].join("\n"),
      [lines[1], lines[2], ""].join("\n"),
      text.replace('"unit":"client"', '"unit": "client"'),
      `${text}nothing\n`,
      `${text}\n`,
    ];
    for (const damaged of damages) {
      await writeFile(path, damaged);
      await assert.rejects(PrivacyLedger.open(path), { code: "PRIVACY_LEDGER_DAMAGED" }, damaged);
    }
  });
});

describe("requireLedger", () => {
  it("PRIVACY_LEDGER_LOST: the chain shows rounds that the ledger does not know", async () => {
    await withLedger(newPath(), async (ledger) => {
      await ledger.charge(chargeFor(1), BUDGET);
      requireLedger(ledger.entries, [{ federation: HERE, run: 1n, round: 1 }]);
      requireLedger([], []);
      assert.throws(
        () =>
          requireLedger(ledger.entries, [
            { federation: HERE, run: 1n, round: 1 },
            { federation: HERE, run: 2n, round: 1 },
            { federation: HERE, run: 1n, round: 2 },
          ]),
        (error: { code: string; message: string; values: unknown }) => {
          assert.equal(error.code, "PRIVACY_LEDGER_LOST");
          assert.match(error.message, /2 updates.*round 1 of run 2.*backup/);
          return true;
        },
      );
    });
  });
});

describe("roundCharge", () => {
  const common = { clipNorm: 3, noiseMultiplier: 2, budget: BUDGET };
  const loss = { clip: 10, noiseMultiplier: 5 };
  const facts: RoundFacts = {
    federation: HERE,
    run: 1n,
    round: 4,
    cohort: 16,
    samples: 600,
    batchSize: 60,
    localSteps: 20,
    sampling: { kind: "poisson", rate: 0.1, published: false },
  };
  const updateOf = ({ releases: [update] }: Charge): unknown => update;

  it("a closing round releases the loss alone", () => {
    const local = { mode: "local", ...common, loss, pipeline: { name: "P2", errorFeedback: false } } as const;
    for (const config of [local, { mode: "record", ...common, loss } as const]) {
      const charge = roundCharge(config, facts);
      assert.equal(charge.releases.length, 2);
      assert.deepEqual(roundCharge(config, { ...facts, closing: true }), {
        ...charge,
        releases: charge.releases.filter(({ what }) => what === "loss"),
      });
    }
  });

  it("local: σ = 2zC, the sampling does not count, and the loss is a release of its own", () => {
    const charge = roundCharge(
      { mode: "local", ...common, loss, pipeline: { name: "P2", errorFeedback: false } },
      facts,
    );
    assert.deepEqual([charge.unit, charge.relation, charge.sigma], ["client", "replace-one", 12]);
    assert.deepEqual(charge.releases, [
      { what: "update", samplingRate: 1, noiseMultiplier: 2, steps: 1 },
      { what: "loss", samplingRate: 1, noiseMultiplier: 5, steps: 1 },
    ]);
  });
  it("central: σ = zC; a replaced client of a fixed-size cohort sees half the multiplier; published, q = 1", () => {
    const config = { mode: "central", ...common, errorFeedback: false } as const;
    const charge = roundCharge(config, facts);
    assert.deepEqual([charge.relation, charge.sigma], ["add-remove", 6]);
    assert.deepEqual(updateOf(charge), { what: "update", samplingRate: 0.1, noiseMultiplier: 2, steps: 1 });
    const fixed = roundCharge(config, { ...facts, sampling: { kind: "fixed-size", rate: 0.1, published: true } });
    assert.equal(fixed.relation, "replace-one");
    assert.deepEqual(updateOf(fixed), { what: "update", samplingRate: 1, noiseMultiplier: 1, steps: 1 });
  });
  it("distributed: the sum has zC, each client its part", () => {
    const charge = roundCharge({ mode: "distributed", ...common, errorFeedback: false, colluders: 0 }, facts);
    assert.deepEqual([charge.relation, charge.sigma], ["add-remove", 1.5]);
  });
  it("records: q = B/n for every local step, C as adapted", () => {
    const charge = roundCharge({ mode: "record", ...common, loss }, { ...facts, clipNorm: 1 });
    assert.deepEqual([charge.unit, charge.relation, charge.sigma, charge.clipNorm], ["record", "add-remove", 2, 1]);
    assert.deepEqual(updateOf(charge), { what: "update", samplingRate: 0.1, noiseMultiplier: 2, steps: 20 });
  });
});
