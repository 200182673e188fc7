// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { privacySchema } from "../../src/protocol/recipe/privacyConfig.ts";
import { foedus } from "./support.ts";

const COHORTS = ["--delta", "1e-5", "--rounds", "100", "--sampling", "0.1"];

describe("foedus privacy", () => {
  it("noise prints z, σ, order and what a published cohort does, and a block that a recipe takes", async () => {
    for (const [args, z] of [
      [[...COHORTS, "--cohort", "20", "--parameters", "2410"], 1.486369],
      [["--delta", "1e-5", "--rounds", "10", "--mode", "local", "--clip", "0.5", "--cohort", "200"], undefined],
      [
        ["--delta", "1e-5", "--rounds", "10", "--mode", "record", "--samples", "200", "--batch", "20", "--epochs", "1"],
        undefined,
      ],
      [[...COHORTS, "--mode", "distributed", "--cohort", "20", "--relation", "replace-one"], undefined],
    ] as const) {
      const { code, stdout, stderr } = await foedus(["privacy", "noise", "--epsilon", "4", ...args]);
      assert.equal(code, 0, stderr);
      const { privacy } = parse(stdout.slice(stdout.indexOf("\nprivacy:"))) as { privacy: unknown };
      const block = privacySchema.parse(privacy);
      assert.ok(block.mode !== "none");
      assert.deepEqual(block.budget, { epsilon: 4, delta: 1e-5 });
      assert.match(stdout, new RegExp(`^noise multiplier z +${block.noiseMultiplier}\\b`, "m"));
      if (z === undefined) continue;
      assert.ok(Math.abs(block.noiseMultiplier - z) < 2e-6);
      assert.match(stdout, /^noise multiplier z +1\.486369 +11\.5777\d*$/m);
      assert.match(stdout, /^sigma on the mean of 20 +0\.0743185 +0\.578885$/m);
      // 0.0743185·√2410
      assert.match(stdout, /^its length, in longest updates +3\.6484\d* /m);
      assert.match(stdout, /^best order +5 +6$/m);
      assert.match(stdout, /takes 7\.79 times the noise/);
    }
  });

  it("epsilon prints both relations, labelled, and which of them was asked for", async () => {
    const { code, stdout } = await foedus([
      ...["privacy", "epsilon", "--noise-multiplier", "4", ...COHORTS, "--relation", "replace-one"],
    ]);
    assert.equal(code, 0);
    assert.match(stdout, /^epsilon 5\.837854 at delta 0\.00001, neighbours replace-one, order 4$/m);
    assert.match(stdout, /^add-remove +Poisson cohorts, secret +0\.1 +4 +1\.081702 +16$/m);
    assert.match(stdout, /^replace-one +cohorts of fixed size, secret +0\.1 +2 +5\.837854 +4$/m);
    assert.match(stdout, /^add-remove +Poisson cohorts, published +1 +4 /m);
    assert.match(stdout, /do not compare and do not add up/);
  });

  it("says who is planned for, which share the losses take, and that a cohort of all is nobody's secret", async () => {
    const records = ["--mode", "record", "--samples", "200", "--batch", "20", "--epochs", "1", "--rounds", "5"];
    const line =
      /Of members with 200 samples or more, one with 201 spends most: 11 steps a round in place of 10, with q = 0\.0995025\./;
    const [noise, epsilon, all] = await Promise.all([
      foedus(["privacy", "noise", "--epsilon", "0.15", "--delta", "1e-5", ...records]),
      foedus(["privacy", "epsilon", "--noise-multiplier", "2", "--delta", "1e-5", ...records]),
      foedus(["privacy", "noise", "--epsilon", "1", "--delta", "1e-5", "--rounds", "5", "--cohorts", "fixed-size"]),
    ]);
    assert.match(noise.stdout, line);
    assert.match(noise.stdout, /may take a share of 0\.2169343 of epsilon \(--loss-share\)/);
    assert.match(epsilon.stdout, line);
    assert.match(all.stdout, /^Of sampling: every client takes part in every round\.$/m);
  });

  it("prints JSON for programs", async () => {
    const [noise, epsilon] = await Promise.all([
      foedus(["privacy", "noise", "--epsilon", "4", ...COHORTS, "--json"]),
      foedus(["privacy", "epsilon", "--noise-multiplier", "4", ...COHORTS, "--json"]),
    ]);
    const plan = JSON.parse(noise.stdout) as Record<string, unknown> & { recipe: unknown };
    assert.equal(plan.relation, "add-remove");
    assert.equal(plan.order, 5);
    assert.equal(
      (privacySchema.parse(plan.recipe) as { noiseMultiplier: number }).noiseMultiplier,
      plan.noiseMultiplier,
    );
    const found = JSON.parse(epsilon.stdout) as { epsilon: number; relations: readonly { relation: string }[] };
    assert.ok(Math.abs(found.epsilon - 1.081702) < 1e-6);
    assert.deepEqual(
      found.relations.map(({ relation }) => relation),
      ["add-remove", "replace-one", "add-remove", "replace-one"],
    );
  });

  it("prints what the operator's guide says it prints", async () => {
    const guide = await readFile(new URL("../../docs/running-a-consortium.md", import.meta.url), "utf8");
    const examples = [...guide.matchAll(/```sh\nfoedus (privacy [^\n]+)\n```\n\n```text\n([\s\S]*?)```/g)];
    assert.equal(examples.length, 2);
    for (const [, args = "", expected] of examples)
      assert.deepEqual(await foedus(args.split(" ")), { code: 0, stdout: expected, stderr: "" });
  });

  it("ends with 2 for what does not go together, with the reason, and prints nothing else", async () => {
    for (const [args, reason] of [
      [["noise", "--epsilon", "4", ...COHORTS, "--mode", "local"], /q = 0\.1 hides nobody/],
      [
        ["epsilon", "--noise-multiplier", "4", ...COHORTS, "--relation", "replace-one", "--cohorts", "poisson"],
        /accounted for add-remove/,
      ],
      [["noise", "--epsilon", "4", ...COHORTS, "--loss-share", "0.1"], /leave --loss-clip and --loss-share out/],
      [["noise", "--epsilon", "0.01", ...COHORTS], /ε stays above 0\.0194/],
      [["noise", "--epsilon", "nought", ...COHORTS], /Write a number above 0/],
      [["noise", "--epsilon", "4", "--rounds", "1"], /--delta <number>' not specified/],
    ] as const) {
      const { code, stdout, stderr } = await foedus(["privacy", ...args]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, reason);
      assert.equal(stdout, "");
    }
  });
});
