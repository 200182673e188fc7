// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { REFUSALS } from "../../src/protocol/refusals.ts";
import { renderReport } from "../../src/report/renderReport.ts";
import type { RunReport } from "../../src/report/runReport.ts";
import { type CheckedPage, checkMarkup } from "./checkMarkup.ts";
import { hashNamed, sampleReport } from "./fixture.ts";

const render = (change: Partial<RunReport> = {}): string => renderReport({ ...sampleReport(), ...change });
const read = (change: Partial<RunReport> = {}): CheckedPage => checkMarkup(render(change));
const tips = (page: CheckedPage): readonly string[] =>
  page.elements.flatMap(({ attributes }) => attributes["data-tip"] ?? []);
const tipOf = (page: CheckedPage, title: string): string =>
  tips(page).find((tip) => tip.startsWith(`${title}\n`)) ?? assert.fail(`no tip ${title}`);
const has = (page: CheckedPage, className: string): boolean =>
  page.elements.some(({ attributes }) => attributes.class?.split(" ").includes(className));

describe("the document", () => {
  test("is well formed, its ids are unique and its references lead somewhere", () => {
    const { elements } = read();
    const ids = elements.flatMap(({ attributes }) => attributes.id ?? []);
    assert.equal(new Set(ids).size, ids.length);
    for (const { attributes } of elements) {
      for (const id of attributes["aria-labelledby"]?.split(" ") ?? []) assert.ok(ids.includes(id), id);
      if (attributes.href !== undefined) assert.ok(ids.includes(attributes.href.slice(1)), attributes.href);
    }
  });

  test("loads nothing: no address, no attribute that fetches, no style or handler in an attribute", () => {
    const page = render();
    assert.doesNotMatch(page, /\/\/[a-z0-9-]+\.|https?:|url\(|@import/i);
    for (const { name, attributes } of checkMarkup(page).elements) {
      for (const key of Object.keys(attributes))
        assert.doesNotMatch(key, /^(src|srcset|action|data|style|on.*)$/, `${name} ${key}`);
      assert.ok(!["link", "img", "iframe", "object", "embed", "form", "base"].includes(name), name);
    }
  });

  test("its policy admits its own style and script by digest and nothing else", () => {
    const page = render();
    const policy = checkMarkup(page).elements.find(
      ({ attributes }) => attributes["http-equiv"] === "Content-Security-Policy",
    )?.attributes.content;
    const digest = (name: string) => {
      const blocks = [...page.matchAll(new RegExp(`<${name}>([\\s\\S]*?)</${name}>`, "g"))];
      assert.equal(blocks.length, 1);
      return createHash("sha256")
        .update(blocks[0]?.[1] ?? "")
        .digest("base64");
    };
    assert.equal(
      policy,
      `default-src 'none'; style-src 'sha256-${digest("style")}'; script-src 'sha256-${digest("script")}'; base-uri 'none'; form-action 'none'`,
    );
  });

  test("is the same for the same report", () => {
    assert.equal(render(), render());
    assert.equal(renderReport(JSON.parse(JSON.stringify(sampleReport()))), render());
  });

  test("every table has a caption, every chart a title and a description", () => {
    const page = render();
    const { elements } = checkMarkup(page);
    assert.equal(
      elements.filter(({ name }) => name === "table").length,
      elements.filter(({ name }) => name === "caption").length,
    );
    for (const chart of page.matchAll(/<svg class="(?:plot|seal)"[\s\S]*?>\s*(<title[\s\S]{0,40})/g))
      assert.match(chart[1] ?? "", /^<title id=/);
    for (const { name, attributes } of elements)
      if (name === "svg" && attributes.role === "img")
        assert.ok(attributes["aria-labelledby"], JSON.stringify(attributes));
  });
});

describe("what the page says of the sample run", () => {
  const report = sampleReport();
  const page = read();

  test("every round, member, validator and hash is there", () => {
    for (const { name, signer } of report.members) {
      assert.ok(page.text.includes(name), name);
      assert.ok(page.elements.some(({ attributes }) => attributes["data-copy"] === signer));
    }
    const copied = new Set(page.elements.flatMap(({ attributes }) => attributes["data-copy"] ?? []));
    for (const round of report.rounds) {
      assert.ok(page.text.includes(`Round ${round.round}`));
      for (const value of [
        round.head,
        round.checkpointCid,
        round.modelRoot,
        ...round.updates.map((update) => update.artifactCid),
      ])
        assert.ok(copied.has(value ?? ""), value);
    }
    for (const value of [report.genesis.head, report.recipe.digest, ...Object.values(report.contracts)])
      assert.ok(copied.has(value), value);
    for (const { id } of report.validators) assert.ok(page.text.includes(`Validator ${id}`));
    assert.ok(page.text.includes(report.attribution));
  });

  test("the verdict is in words, with rounds, checks, final accuracy and the last head", () => {
    assert.match(page.text, /Audit passed\s+11 rounds replayed from chain and store alone; all 1,243 checks hold\./);
    assert.match(page.text, /Final accuracy\s+93\.6%/);
    assert.ok(
      page.elements.some(
        ({ attributes }) => attributes["aria-label"] === `Copy head of round 11 ${hashNamed("head 11")}`,
      ),
    );
  });

  test("a refused update shows its code, its sentence and the votes", () => {
    const wrongRound = tipOf(page, "Birch Clinic, round 6");
    assert.ok(wrongRound.includes(`WRONG_ROUND: ${REFUSALS.WRONG_ROUND.sentence}`));
    assert.ok(wrongRound.includes("Refused by\t4 validators"));
    assert.ok(tipOf(page, "Cedar Institute, round 7").includes(REFUSALS.NOT_SERVED.sentence));
  });

  test("kept, not kept, absent and closing are told apart", () => {
    assert.match(tipOf(page, "Alder General Hospital, round 1"), /^Kept by the rule\.\nYes votes\t4\nWeight λ\t/m);
    assert.match(tipOf(page, "Elm Diagnostics, round 4"), /not kept by the rule/);
    assert.match(tipOf(page, "Dogwood Health Trust, round 3"), /Committed nothing/);
    assert.match(tipOf(page, "Elm Diagnostics, round 11, closing"), /closing round has no updates/);
  });

  test("the outvoted validator, the proposer and the later view are named", () => {
    assert.match(tipOf(page, "Validator 3, round 8"), /outvoted/);
    assert.match(tipOf(page, "Validator 3, round 9"), /Proposer\tin view 1/);
    assert.match(page.text, /V2, view 1/);
  });

  test("every tampering attempt stands with the link that gave it away", () => {
    for (const { what, link } of report.tampering)
      assert.match(page.text, new RegExp(`${what}\\s+noticed\\s+(\\d+|settlement)\\s+${link}`));
  });

  test("the losses are drawn over the model they speak about", () => {
    const description = /<desc id="loss-desc">([^<]*)/.exec(render())?.[1] ?? "";
    assert.match(description, /L, 2\.191 of the model after round 0,/);
    assert.match(description, /0\.298 of the model after round 10\./);
    // Columns are one wide and a marker stands in the middle of its own: L of rounds 1 … 11 over models 0 … 10.
    const path = /<path class="line second" d="(M[^"]+)"/g;
    const drawn = [...render().matchAll(path)].map((match) => match[1] ?? "").find((d) => d.includes("L")) ?? "";
    const columns = [...drawn.matchAll(/[ML]([\d.]+)/g)].map((match) => Number(match[1]) - 0.5);
    assert.deepEqual(columns, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test("it says what is not proved, and claims no proof of how members trained", () => {
    assert.match(page.text, /What this record does not prove/);
    assert.doesNotMatch(render(), /proof of honest training/i);
  });
});

describe("text from others stays text", () => {
  const hostile = `</title></script><script>alert(1)</script>"'\`&lt;\u0000\u202e`;

  test("a hostile name cannot add an element or an attribute", () => {
    const names = ({ elements }: CheckedPage) =>
      elements.map(({ name, attributes }) => `${name} ${Object.keys(attributes).join(" ")}`);
    const sample = sampleReport();
    const changed = read({
      title: hostile,
      attribution: hostile,
      members: sample.members.map((member) => ({ ...member, name: hostile })),
    });
    assert.deepEqual(names(changed), names(read()));
    assert.ok(changed.text.includes(`</title></script><script>alert(1)</script>"'\`&lt;\ufffd`));
  });

  test("any string in any field leaves the document well formed and its structure unchanged", () => {
    const structure = ({ elements }: CheckedPage) => elements.map(({ name }) => name).join();
    // Fields whose shape decides what is drawn (hex digits as bars, outcomes, a token's address) keep their values.
    const replace = (value: unknown, text: string, key = ""): unknown => {
      if (typeof value === "string") return /^(outcome|head|token|pool|refund|reward)$/.test(key) ? value : text;
      if (Array.isArray(value)) return value.map((item) => replace(item, text, key));
      if (typeof value === "object" && value !== null)
        return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, replace(item, text, name)]));
      return value;
    };
    const expected = structure(checkMarkup(renderReport(replace(sampleReport(), "x") as RunReport)));
    const markup = fc.string({
      unit: fc.constantFrom(
        "<",
        ">",
        '"',
        "'",
        "&",
        "/",
        "script",
        "style",
        "-->",
        "]]>",
        "=",
        " ",
        "\n",
        "\t",
        "\u0000",
        "a",
      ),
    });
    fc.assert(
      fc.property(
        markup.filter((text) => text !== ""),
        (text) => {
          assert.equal(structure(checkMarkup(renderReport(replace(sampleReport(), text) as RunReport))), expected);
        },
      ),
      { seed: 20_240_611, numRuns: 25 },
    );
  });

  test("a line break or tab in a name cannot forge a line of a tip", () => {
    const sample = sampleReport();
    const page = read({ members: sample.members.map((member) => ({ ...member, name: "A\nYes votes\t99" })) });
    assert.ok(tips(page).every((tip) => !/^Yes votes\t99/m.test(tip)));
  });
});

describe("unusual runs", () => {
  test("no round opened, nothing settled, audited or measured", () => {
    const { settlement: _s, audit: _a, ...rest } = sampleReport();
    const page = checkMarkup(
      renderReport({
        ...rest,
        rounds: [],
        members: [],
        validators: [],
        gas: {},
        seconds: {},
        tampering: [],
        contracts: {},
      }),
    );
    assert.match(page.text, /Not audited/);
    assert.match(page.text, /has not been settled/);
    assert.ok(page.elements.some(({ attributes }) => attributes["data-copy"] === rest.genesis.head));
  });

  test("no round finalised: the head is the genesis and every round says why", () => {
    const sample = sampleReport();
    const rounds = [1, 2].map((round) => ({
      round,
      closing: false,
      outcome: "failed" as const,
      failure: "TooFewAccepted",
      updates: [],
      validators: [],
    }));
    const page = checkMarkup(renderReport({ ...sample, rounds }));
    assert.equal(page.text.match(/TooFewAccepted\./g)?.length, 2);
    assert.ok(
      page.elements.some(
        ({ attributes }) => attributes["aria-label"] === `Copy head of round 0 ${sample.genesis.head}`,
      ),
    );
    assert.match(page.text, /Rounds finalised\s+0\s+no closing round, 2 failed/);
  });

  test("a failed round is no link: the next one's parent is the head before it", () => {
    const rounds = sampleReport().rounds.map((round) =>
      round.round === 4
        ? {
            round: 4,
            closing: false,
            outcome: "failed" as const,
            failure: "NoQuorum",
            updates: round.updates,
            validators: round.validators,
          }
        : round,
    );
    const page = render({ rounds });
    const block = page.slice(page.indexOf("<b>Round 5</b>"), page.indexOf("<b>Round 6</b>"));
    assert.ok(block.includes(`Copy head of round 3 ${hashNamed("head 3")}`));
    assert.ok(!page.includes(hashNamed("head 4")));
    assert.ok(has(checkMarkup(page), "v-sealed"), "sealed without a result is neither agreed nor outvoted");
  });

  test("a head that a failed round left behind is never a parent nor the run's head", () => {
    const [first, second] = sampleReport().rounds;
    assert.ok(first !== undefined && second !== undefined);
    const page = read({ rounds: [first, { ...second, outcome: "failed", failure: "NotFinalised" }] });
    const labels = page.elements.flatMap(({ attributes }) => attributes["aria-label"] ?? []);
    assert.ok(labels.includes(`Copy head of round 1 ${hashNamed("head 1")}`));
    assert.ok(!labels.some((label) => label.includes(hashNamed("head 2"))));
  });

  test("a failed audit names its first false link, settlement included", () => {
    const audit = (round: number | null) => ({
      ok: false,
      rounds: 11,
      checks: 1243,
      failures: [{ round, link: "settlement split", detail: "paid 2, the scores give 1" }],
    });
    assert.match(
      read({ audit: audit(null) }).text,
      /Audit failed\s+11 rounds replayed[^.]*; 1 of 1,243 checks failed\. The first false link is settlement split \(settlement\)\./,
    );
    assert.match(read({ audit: audit(3) }).text, /first false link is settlement split in round 3\./);
    assert.ok(!/Audit passed/.test(read({ audit: audit(3) }).text));
  });

  test("tampering that went unnoticed is said to be missed", () => {
    const page = read({ tampering: [{ what: "A score", detected: false, round: null, link: "" }] });
    assert.match(page.text, /A score\s+missed it/);
    assert.match(page.text, /Tampering caught\s+0\s+of 1 attempt/);
  });

  test("one member, one round, no optional figure", () => {
    const [member] = sampleReport().members;
    const { classes: _c, ...bare } = member ?? assert.fail();
    const page = read({
      members: [bare],
      rounds: [
        {
          round: 1,
          closing: false,
          outcome: "finalised",
          updates: [{ memberId: 1, outcome: "kept", yes: 1, samples: 3, weight: 1, score: -0.5, artifactCid: "" }],
          validators: [],
        },
      ],
    });
    assert.match(page.text, /classes not known/);
    assert.match(tipOf(page, "Alder General Hospital, round 1"), /Score\t−0\.5000 nats/);
    assert.doesNotMatch(page.text, /NaN|undefined|Infinity/);
  });

  test("an update of a member that the list does not know has a row of its own", () => {
    const [first] = sampleReport().members;
    const page = read({ members: first === undefined ? [] : [first] });
    for (const id of [2, 3, 4, 5]) assert.ok(page.text.includes(`Member ${id}`));
  });

  test("a refusal code from the future is shown without a sentence of another", () => {
    const rounds = sampleReport().rounds.map((round) => ({
      ...round,
      updates: round.updates.map((update) =>
        update.refusal === undefined ? update : { ...update, refusal: { code: "toString", votes: 2 } },
      ),
    }));
    assert.match(tipOf(read({ rounds }), "Birch Clinic, round 6"), /toString: This page knows no sentence/);
  });

  test("numbers that are not numbers appear nowhere", () => {
    const rounds = sampleReport().rounds.map((round) => ({
      ...round,
      accuracy: Number.NaN,
      heldOutLoss: Number.POSITIVE_INFINITY,
      reportedLoss: Number.NaN,
    }));
    const page = render({ rounds });
    assert.doesNotMatch(page.replace(/<script>[\s\S]*<\/script>/, ""), /NaN|Infinity|undefined/);
  });

  test("a hundred rounds fit", () => {
    const [round] = sampleReport().rounds;
    assert.ok(round !== undefined);
    const page = read({
      rounds: Array.from({ length: 100 }, (_, index) => ({
        ...round,
        round: index + 1,
        head: hashNamed(`head ${index + 1}`),
      })),
    });
    assert.equal(tips(page).filter((tip) => /^Alder General Hospital, round \d+\n/.test(tip)).length, 100);
  });
});
