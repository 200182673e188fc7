// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { foedus, start, temporaryFolder } from "../cli/support.ts";
import { checkMarkup } from "../report/checkMarkup.ts";
import { descendantsOf, KNOWS_PROCESS_TREE, survivorsOf } from "./processTree.ts";
import { readSafetensors } from "./safetensors.ts";

/** Of the summary, what programs may rely on. */
interface Summary {
  readonly ok: boolean;
  readonly rounds: number;
  readonly finalised: number;
  readonly accuracy: number;
  readonly refusals: readonly { round: number; member: string; code: string }[];
  readonly audit: { ok: boolean; rounds: number };
  readonly tampering: readonly { what: string; detected: boolean; round: number | null; link: string }[];
  readonly rewards: { pool: string; paid: string };
  readonly gas: Readonly<Record<string, number>>;
  readonly proof: { proveMs: number; verifyGas: number };
  readonly seconds: Readonly<Record<string, number>>;
}

describe("foedus demo", () => {
  it("runs two rounds, settles, audits, and leaves a model and a page", async (t) => {
    const out = await temporaryFolder(t);
    const { code, stdout, stderr } = await foedus(["demo", "--rounds", "2", "--json", "--out", out]);
    assert.equal(code, 0, stderr);

    const lines = stdout.trimEnd().split("\n");
    assert.equal(lines.length, 1, "with --json, words for people belong on standard error");
    const summary = JSON.parse(lines[0] as string) as Summary;
    assert.equal(summary.ok, true);
    assert.equal(summary.rounds, 2);
    assert.equal(summary.finalised, 2);
    // Chance is 0.1; what two rounds reach with the default seed is 0.87.
    assert.ok(summary.accuracy > 0.7 && summary.accuracy <= 1, `accuracy ${summary.accuracy}`);
    // The scripted refusals come in rounds 6 and 7. One more would be a fault of ours or of a machine too slow for the fetch time.
    assert.deepEqual(summary.refusals, []);
    assert.equal(summary.audit.ok, true);
    assert.equal(summary.audit.rounds, 2);
    assert.deepEqual(
      summary.tampering.map(({ detected, round, link }) => ({ detected, round, link })),
      [
        { detected: true, round: 2, link: "checkpoint" },
        { detected: true, round: null, link: "settlement" },
        { detected: true, round: 2, link: "attestation" },
      ],
    );
    for (const { what } of summary.tampering) assert.ok(what.length > 0);
    assert.deepEqual(summary.rewards, { pool: (1000n * 10n ** 18n).toString(), paid: (1000n * 10n ** 18n).toString() });
    assert.deepEqual(Object.keys(summary.gas), ["commit", "verdict", "attest", "finalise", "settle", "claim"]);
    // Any transaction takes 21 000.
    for (const [call, gas] of Object.entries(summary.gas))
      assert.ok(gas > 21_000 && gas < 2_000_000, `${call} takes ${gas} gas`);
    assert.ok(summary.proof.proveMs > 0, `proveMs ${summary.proof.proveMs}`);
    // Four pairings take 45 000 + 4 · 34 000 (EIP-1108).
    assert.ok(
      summary.proof.verifyGas > 181_000 && summary.proof.verifyGas < 300_000,
      `verifyGas ${summary.proof.verifyGas}`,
    );
    const { total, ...stages } = summary.seconds;
    assert.deepEqual(Object.keys(stages), [
      "chain and contracts",
      "run",
      "rounds",
      "settlement",
      "audit",
      "dishonest operator",
      "report",
    ]);
    assert.ok(Math.abs(Object.values(stages).reduce((sum, value) => sum + value, 0) - (total as number)) < 1e-6);

    const page = await readFile(join(out, "report.html"), "utf8");
    checkMarkup(page);
    assert.doesNotMatch(
      page,
      /(?:https?:|wss?:|ftp:)?\/\/[a-z0-9-]+\.[a-z]/i,
      "the page reaches out to no other machine",
    );
    assert.doesNotMatch(page, /<(?:link|iframe|img|object|embed|base)\b/i);

    const model = await readFile(join(out, "model.safetensors"));
    const tensors = readSafetensors(model);
    assert.deepEqual(
      [...tensors].filter(([, { dtype }]) => dtype === "F32").map(([name, { shape }]) => [name, shape]),
      [
        ["layer1.bias", [32]],
        ["layer1.weight", [32, 64]],
        ["layer2.bias", [10]],
        ["layer2.weight", [10, 32]],
      ],
    );
    for (const [name, { dtype, bytes }] of tensors) {
      if (dtype === "F32") assert.ok(new Float32Array(bytes.buffer).every(Number.isFinite), `${name} is finite`);
    }
    // A file of one chunk: its root is the hash of one leaf (RFC 6962). The page has the root that the chain finalised last.
    const root = createHash("sha256").update(Uint8Array.of(0)).update(model).digest("hex");
    assert.ok(page.includes(root), "the model in the folder is the one that was finalised");
  });

  it("ends within seconds of SIGINT and leaves no process behind", async (t) => {
    const out = await temporaryFolder(t);
    const demo = start(["demo", "--rounds", "2", "--json", "--out", out]);
    await demo.line(/── rounds/);
    const below = KNOWS_PROCESS_TREE ? await descendantsOf(demo.process.pid as number, 1) : [];
    const asked = performance.now();
    demo.process.kill("SIGINT");
    const { code, stdout, stderr } = await demo.finished;
    const seconds = (performance.now() - asked) / 1000;
    assert.equal(code, 130, stderr);
    assert.ok(seconds < 15, `took ${seconds} s`);
    assert.match(stderr, /SIGINT: stopping/);
    assert.doesNotMatch(stderr, /Unexpected|^\s+at /m);
    assert.equal(stdout, "");
    assert.deepEqual(await survivorsOf(below, 3_000), []);
  });

  it("ends its participants' processes at SIGTERM", async (t) => {
    const out = await temporaryFolder(t);
    const demo = start(["demo", "--rounds", "2", "--processes", "--json", "--out", out]);
    await demo.line(/── rounds/);
    // Chain, five nodes, four validators.
    const below = KNOWS_PROCESS_TREE ? await descendantsOf(demo.process.pid as number, 10) : [];
    demo.process.kill("SIGTERM");
    const { code, stderr } = await demo.finished;
    assert.equal(code, 143, stderr);
    assert.deepEqual(await survivorsOf(below, 3_000), []);
  });

  const wrong: readonly [readonly string[], RegExp][] = [
    [["--rounds", "0"], /rounds/],
    [["--rounds", "101"], /--rounds 101 is not possible: 1 to 100/],
    [["--rounds", "two"], /rounds/],
    [["--nodes", "4"], /--nodes 4 is not possible: 5 to 32/],
    [["--nodes", "33"], /--nodes 33 is not possible: 5 to 32/],
    [["--validators", "3"], /--validators 3 is not possible: 4 to 16/],
    [["--seeds", "a"], /unknown option '--seeds'/],
  ];
  for (const [args, sentence] of wrong) {
    it(`refuses ${args.join(" ")}`, async (t) => {
      const { code, stdout, stderr } = await foedus(["demo", ...args, "--out", await temporaryFolder(t)]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, sentence);
      assert.equal(stdout, "");
    });
  }

  it("refuses an output folder that is a file", async (t) => {
    const out = join(await temporaryFolder(t), "taken");
    await writeFile(out, "");
    const { code, stderr } = await foedus(["demo", "--rounds", "1", "--out", out]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /--out .* cannot be a folder/);
  });
});
