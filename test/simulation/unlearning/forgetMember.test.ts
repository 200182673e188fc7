// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { referenceKernels } from "../../../src/aggregation/reference/referenceKernels.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import type { UnlearningReport } from "../../../src/report/unlearning/unlearningReport.ts";
import { runCell } from "../../../src/simulation/laboratory/runCell.ts";
import { type ForgetOptions, forgetMember } from "../../../src/simulation/unlearning/forgetMember.ts";
import { federationOf } from "./cell.ts";

const engine = await createOnnxNodeEngine({ threads: 1 });
const root = await mkdtemp(join(tmpdir(), "foedus-unlearn-"));
after(async () => {
  await engine.dispose();
  await rm(root, { recursive: true, force: true });
});
const surroundings = { engine, kernels: referenceKernels, dataRoot: "unused" };
let folders = 0;

/** Forgets member 2 of a tiny federation, in a folder of its own unless one is named. */
function optionsOf(recipe: object, over: Partial<ForgetOptions> = {}): ForgetOptions {
  return {
    experiment: "tiny",
    labels: {},
    config: federationOf(recipe),
    seed: 7,
    member: 2,
    method: "exact",
    output: join(root, String(folders++)),
    every: 2,
    keepEvery: 2,
    effort: 0.5,
    surroundings,
    ...over,
  };
}
const forget = (recipe: object, over: Partial<ForgetOptions> = {}) => forgetMember(optionsOf(recipe, over));
const headOf = async (recipe: object) =>
  (await runCell("tiny", { id: "", labels: {}, seed: 7, config: federationOf(recipe) }, surroundings)).head;
const timeless = (report: UnlearningReport) => ({
  ...report,
  retrained: { ...report.retrained, seconds: 0 },
  methods: report.methods.map((method) => ({ ...method, seconds: 0 })),
});

describe("forgetting a member of a cell", () => {
  it("by replay gives the run without it, to the bit, from the last snapshot before its first round; the run is the laboratory's", async () => {
    const recipe = { participation: 0.2 };
    const report = await forget(recipe, { member: 4 });
    const [exact] = report.methods;
    assert.equal(report.before.head, await headOf(recipe));
    assert.deepEqual([report.firstRound, report.participations], [4, 2]);
    assert.deepEqual(exact?.replayed, { from: 3, rounds: 5 });
    assert.equal(exact?.equalsRetrained, true);
    assert.equal(exact?.head, report.retrained.head);
    assert.notEqual(exact?.head, report.before.head);
    assert.equal(exact?.distance, 0);
    assert.ok((exact?.clientRounds ?? 0) < report.retrained.clientRounds);
    assert.equal(report.holds, true);
  });

  it("gives the same however often snapshots are written", async () => {
    const heads = new Set<string>();
    for (const every of [1, 3, 10]) {
      const { methods, retrained } = await forget({ participation: 0.2 }, { member: 4, every });
      assert.equal(methods[0]?.replayed?.from, { 1: 4, 3: 4, 10: 1 }[every]);
      heads.add(methods[0]?.head as string).add(retrained.head);
    }
    assert.equal(heads.size, 1);
  });

  it("has nothing to do for a member whose updates never entered", async () => {
    const { firstRound, methods, before, deletion, holds } = await forget({ participation: 0.2 }, { member: 3 });
    assert.deepEqual([firstRound, methods[0]?.clientRounds, methods[0]?.replayed], [null, 0, null]);
    assert.equal(methods[0]?.head, before.head);
    assert.deepEqual([methods[0]?.equalsRetrained, holds, deletion.done], [true, true, false]);
    assert.match(deletion.why, /nothing of the member entered/);
  });

  it("by all that are possible says how far the approximations are, and what each cost", async () => {
    const report = await forget({}, { method: "all" });
    const by = new Map(report.methods.map((method) => [method.method, method]));
    assert.deepEqual([...by.keys()], ["exact", "recompute", "eraser"]);
    assert.deepEqual(
      report.leftOut.map(({ method }) => method),
      ["sharded"],
    );
    for (const name of ["recompute", "eraser"] as const) {
      const distance = by.get(name)?.distance as number;
      assert.ok(distance > 0 && distance < 1, `${name}: ${distance}`);
      assert.equal(by.get(name)?.equalsRetrained, false);
      assert.ok(by.get(name)?.checks.every(({ claim }) => !claim.includes("bit for bit")));
    }
    assert.equal(by.get("recompute")?.clientRounds, 0);
    // Three of the rounds 1, 3, 5, 7 are calibrated, by five others, with half the work.
    assert.equal(by.get("eraser")?.clientRounds, 7.5);
    assert.equal(by.get("exact")?.clientRounds, 35);
    assert.equal(report.retrained.clientRounds, 35);
    assert.equal(report.holds, by.get("exact")?.holds);
    assert.deepEqual(JSON.parse(JSON.stringify(report)), report);
  });

  it("recomputes robust filters, control variates and contributions too", async () => {
    const recipe = {
      client: { name: "scaffold" },
      aggregation: { rule: "spfl", parameters: { temperature: 1, weighting: "softmax" } },
      scoring: { permutations: 2 },
      serverData: { validation: 30 },
      rounds: 3,
    };
    const { deletion, methods } = await forget(recipe, { method: "all" });
    assert.deepEqual(
      methods.map(({ method, equalsRetrained }) => [method, equalsRetrained]),
      [
        ["exact", true],
        ["recompute", false],
      ],
    );
    assert.ok(deletion.items.some(({ what, amount }) => what.endsWith(": control") && /\d+ numbers/.test(amount)));
    assert.ok(deletion.items.some(({ what, amount }) => what.includes("Shapley") && amount.includes("nats")));
    const [before, after] = deletion.contributions as [number, number];
    const sum = (place: 0 | 1) =>
      deletion.standings.reduce((all, { contribution }) => all + (contribution[place] ?? 0), 0);
    assert.deepEqual([before, after], [sum(0), sum(1)]);
    assert.notEqual(before, after);
    assert.ok(!deletion.standings.some(({ member }) => member === 2));
  });

  it("replays all rounds where attackers remember, and says so of an attacker", async () => {
    const recipe = { attack: { name: "replay", count: 1 }, aggregation: { rule: "coordinate-median" }, rounds: 4 };
    const reports = [];
    for (const member of [1, 2, 3, 4, 5, 6]) reports.push(await forget(recipe, { member }));
    assert.equal(reports.filter(({ attacker }) => attacker).length, 1);
    for (const { methods } of reports) {
      assert.equal(methods[0]?.equalsRetrained, true);
      assert.deepEqual(methods[0]?.replayed, { from: 1, rounds: 4 });
    }
  });

  it("is refused in words where the cell's model is none", async () => {
    await assert.rejects(forget({ model: { kind: "lenet" } }), {
      code: "BAD_CONFIG",
      message: /model cannot be built/,
    });
  });

  it("names what privacy promises by itself", async () => {
    const budget = { epsilon: 100, delta: 1e-5 };
    const member = { mode: "central", clipNorm: 1, noiseMultiplier: 1, errorFeedback: false, budget };
    const recipe = { rounds: 2, aggregation: { rule: "uniform-mean" }, privacy: member };
    const report = await forget(recipe);
    assert.deepEqual([report.privacy?.mode, report.privacy?.unit, report.privacy?.delta], ["central", "member", 1e-5]);
    assert.ok((report.privacy?.epsilon as number) > 0);
    assert.equal(report.methods[0]?.equalsRetrained, true);
    assert.ok(report.deletion.items.some(({ what, amount }) => what === "its uploads" && amount === "none were kept"));
  });
});

describe("forgetting in shards", () => {
  const recipe = { members: 8, server: { name: "flcert-d", groups: 2 } };

  it("runs the member's group again and no other; exact, for less than the whole", async () => {
    const report = await forget(recipe, { method: "all", member: 3 });
    const [sharded] = report.methods;
    assert.deepEqual([report.methods.length, sharded?.method, sharded?.equalsRetrained], [1, "sharded", true]);
    const others = (report.group?.members.length as number) - 1;
    assert.equal(sharded?.clientRounds, 7 * others);
    assert.equal(report.retrained.clientRounds, 7 * 7);
    assert.equal(report.group?.groups, 2);
    assert.equal(report.holds, true);
  });

  it("has the laboratory's models, and deletes in the member's group alone", async () => {
    const output = join(root, "groups");
    await forget(recipe, { method: "sharded", member: 3, output });
    await assert.rejects(forget(recipe, { method: "sharded", member: 3, output }), /forgotten in .* already/);
    const { earlier } = await forget(recipe, { method: "sharded", member: 4, output, keep: true });
    assert.deepEqual(earlier, [3]);
    const found = await runCell("tiny", { id: "", labels: {}, seed: 7, config: federationOf(recipe) }, surroundings);
    const { before } = await forget(recipe, { method: "sharded", member: 3 });
    assert.equal(found.final.accuracy, before.accuracy);
  });
});

describe("too few are left", () => {
  const median = { aggregation: { rule: "coordinate-median" } };

  it("in the member's group: refused before anything is trained", async () => {
    // Members 1, 3, 4 and 2, 5, 6.
    const recipe = { ...median, server: { name: "flcert-d", groups: 2 } };
    const output = join(root, "small group");
    await assert.rejects(forget(recipe, { method: "sharded", output }), {
      code: "BAD_CONFIG",
      message: /no round of its group has enough updates: coordinate-median needs 3 and 2 would be left/,
    });
    assert.deepEqual(await readdir(output), []);
  });

  it("after others were forgotten, also where cohorts are drawn", async () => {
    for (const participation of [1, 0.8]) {
      const recipe = { ...median, members: 4, participation, rounds: 2 };
      const output = join(root, `few ${participation}`);
      assert.equal((await forget(recipe, { output })).deletion.done, true);
      await assert.rejects(forget(recipe, { output, member: 3 }), /needs 3 and 2 would be left/);
    }
  });
});

describe("the records of an unlearning", () => {
  it("go on where a process was cut off, and the evidence is the same", async () => {
    const recipe = { participation: 0.5 };
    const whole = await forget(recipe, { keep: true });
    const output = join(root, "cut off");
    const stop = new AbortController();
    let told = 0;
    const stopped = forget(recipe, {
      output,
      keep: true,
      signal: stop.signal,
      onProgress: () => {
        told += 1;
        if (told === 5) stop.abort(new Error("enough"));
      },
    });
    await assert.rejects(stopped, /enough/);
    assert.deepEqual(
      (await readdir(join(output, "run"))).filter((name) => name.startsWith("snapshot")),
      ["snapshot-00000", "snapshot-00002", "snapshot-00004"],
    );
    const before = told;
    const resumed = await forget(recipe, { output, keep: true, onProgress: () => (told += 1) });
    assert.deepEqual(timeless(resumed), timeless(whole));
    // Rounds 5 to 7 of the run, and two runs without the member.
    assert.ok(told - before <= 3 + 2 * 7, `${told - before} rounds`);
    assert.deepEqual(timeless(await forget(recipe, { output, keep: true })), timeless(whole));
  });

  it("are deleted with the member: no upload, no memory, no model of it is left", async () => {
    const output = join(root, "deleted");
    const report = await forget({}, { output });
    assert.equal(report.deletion.done, true);
    assert.deepEqual(await readdir(output), ["run"]);
    for (const name of await readdir(join(output, "run"))) {
      const text = await readFile(join(output, "run", name), "latin1");
      assert.doesNotMatch(text, /"(?:upload|residual) 2"/, name);
      assert.ok(!text.includes(report.before.head), name);
    }
    const next = await forget({}, { output, member: 3 });
    assert.deepEqual(next.earlier, [2]);
    assert.equal(next.before.head, report.retrained.head);
    assert.equal(next.methods[0]?.equalsRetrained, true);
    await mkdir(join(output, "run-2019"));
    const anew = await forget({}, { output, again: true });
    assert.equal(anew.before.head, report.before.head);
    assert.ok(existsSync(join(output, "run-2019")), "a folder of somebody else's");
  });

  it("are deleted to the end when the process was cut off in between", async () => {
    const output = join(root, "in between");
    await forget({}, { output, keep: true });
    await rename(join(output, "run-replayed-2"), join(output, "run-replayed-x"));
    await rm(join(output, "run"), { recursive: true });
    await writeFile(join(output, "run-replayed-x", "complete"), "");
    await assert.rejects(forget({}, { output }), /forgotten in .* already/);
    assert.ok(!existsSync(join(output, "run-replayed-x")));
  });

  it("are deleted from runs that other commands left, which have its uploads too", async () => {
    const output = join(root, "beside");
    await forget({}, { output, method: "recompute", member: 3 });
    await forget({}, { output, member: 4, keep: true });
    await mkdir(join(output, "run-2019"));
    assert.deepEqual((await readdir(output)).sort(), [
      "run",
      "run-2019",
      "run-replayed-4",
      "run-retrained-3",
      "run-retrained-4",
    ]);
    assert.equal((await forget({}, { output })).deletion.done, true);
    await rm(join(output, "run-2019"), { recursive: true });
    assert.deepEqual(await readdir(output), ["run"]);
  });

  it("are deleted to the end wherever the process was cut off after the new run took the old one's place", async () => {
    const output = join(root, "in its place");
    await forget({}, { output });
    await writeFile(join(output, "run", "complete"), "");
    await mkdir(join(output, "run-retrained-3"));
    await assert.rejects(forget({}, { output }), /forgotten in .* already/);
    assert.deepEqual(await readdir(output), ["run"]);
    assert.ok(!existsSync(join(output, "run", "complete")));
  });

  it("come back never: the mark goes last, after the new run has its place and the others are gone", async () => {
    const output = join(root, "last");
    await forget({}, { output, keep: true });
    // A mark that cannot be removed: as if the process ended there.
    await mkdir(join(output, "run-replayed-2", "complete"));
    await assert.rejects(forget({}, { output }), { code: "ERR_FS_EISDIR" });
    assert.deepEqual((await readdir(output)).sort(), ["run"]);
    await rmdir(join(output, "run", "complete"));
    await assert.rejects(forget({}, { output }), /forgotten in .* already/);
  });

  it("stay until the report is safe, which says first that they are about to be deleted and then that they are", async () => {
    const output = join(root, "published");
    const seen: [done: boolean, kept: boolean][] = [];
    const report = await forget(
      {},
      {
        output,
        publish: async ({ deletion }) => {
          const kept = (await readFile(join(output, "run", "round-00001"), "latin1")).includes('"upload 2"');
          seen.push([deletion.done, kept]);
          assert.match(deletion.why, deletion.done ? /are deleted/ : /about to be deleted/);
        },
      },
    );
    assert.deepEqual(seen, [
      [false, true],
      [true, false],
    ]);
    assert.equal(report.deletion.done, true);

    const full = new Error("no space left on device");
    const unwritten = join(root, "unpublished");
    await assert.rejects(forget({}, { output: unwritten, publish: () => Promise.reject(full) }), full);
    assert.match(await readFile(join(unwritten, "run", "round-00001"), "latin1"), /"upload 2"/);
    assert.equal((await forget({}, { output: unwritten })).deletion.done, true);
  });

  it("are said to have a report only where it is", async () => {
    const output = join(root, "reported");
    await forget({}, { output });
    await assert.rejects(forget({}, { output }), /but its report is not there/);
    await writeFile(join(output, "member-2.html"), "");
    await assert.rejects(forget({}, { output }), /its report is .*member-2\.html/);
  });

  it("stay where an approximate method alone was asked for", async () => {
    const output = join(root, "approximate");
    const { deletion } = await forget({}, { output, method: "recompute" });
    assert.equal(deletion.done, false);
    assert.match(deletion.why, /approximate/);
    assert.ok(existsSync(join(output, "run", "round-00001")));
  });

  it("are refused when one byte of a snapshot has changed, naming it", async () => {
    const output = join(root, "damaged");
    await forget({}, { output, keep: true });
    for (const name of ["snapshot-00002", "round-00003"]) {
      const path = join(output, "run", name);
      const bytes = await readFile(path);
      const copy = Buffer.from(bytes);
      copy[copy.length >> 1] = (copy[copy.length >> 1] as number) ^ 4;
      await writeFile(path, copy);
      await assert.rejects(forget({}, { output, keep: true }), (error: Error & { code: string }) => {
        assert.equal(error.code, "SNAPSHOT_DAMAGED");
        assert.ok(error.message.startsWith(path));
        return true;
      });
      await writeFile(path, bytes);
    }
    await writeFile(join(output, "run", "run.json"), "{");
    await assert.rejects(forget({}, { output, keep: true }), { code: "SNAPSHOT_DAMAGED" });
  });

  it("are refused when another configuration, seed or version of the sources made them", async () => {
    const output = join(root, "foreign");
    await forget({}, { output, keep: true });
    const foreign = { code: "SNAPSHOT_FOREIGN", exitCode: 2 };
    await assert.rejects(forget({ rounds: 8 }, { output }), foreign);
    await assert.rejects(forget({}, { output, seed: 8 }), foreign);
    const path = join(output, "run", "run.json");
    await writeFile(path, (await readFile(path, "utf8")).replace(/"code": ".{4}/, '"code": "0000'));
    await assert.rejects(forget({}, { output }), foreign);
  });
});
