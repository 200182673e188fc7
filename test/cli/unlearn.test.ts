// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { stringify } from "yaml";
import { TINY } from "../simulation/unlearning/cell.ts";
import { foedus, temporaryFolder } from "./support.ts";

describe("foedus unlearn", () => {
  it("shows how to use it, and refuses what it cannot do with the reason", async (t) => {
    const file = join(await temporaryFolder(t), "tiny.yaml");
    await writeFile(file, stringify(TINY));
    const [help, without, stranger, sharded, absent] = await Promise.all([
      foedus(["unlearn", "--help"]),
      foedus(["unlearn", file]),
      foedus(["unlearn", file, "--member", "7"]),
      foedus(["unlearn", file, "--member", "1", "--method", "sharded"]),
      foedus(["unlearn", `${file}.not`, "--member", "1"]),
    ]);
    assert.match(help.stdout, /^Usage: foedus unlearn .*[\s\S]*\$ foedus unlearn experiments/);
    assert.match(help.stdout, /0 the evidence holds \(of the exact or sharded method where it ran/);
    for (const [ran, reason] of [
      [without, /required option '--member/],
      [stranger, /members 1 … 6/],
      [sharded, /--groups N/],
      [absent, /does not exist/],
    ] as const) {
      assert.equal(ran.code, 2, ran.stderr);
      assert.match(ran.stderr, reason);
    }
  });

  it("forgets, writes both reports, and is refused from a damaged snapshot", async (t) => {
    const folder = await temporaryFolder(t);
    const file = join(folder, "tiny.yaml");
    const output = join(folder, "out");
    await writeFile(file, stringify(TINY));
    const args = ["unlearn", file, "--member", "2", "--output", output, "--keep"];
    const told = await foedus(args);
    assert.equal(told.code, 0, told.stderr);
    assert.match(told.stdout, /exact +yes, bit for bit/);
    assert.match(told.stdout, /Report: .*member-2\.html/);
    assert.match(told.stderr, /training with the member: \d+ %/);

    const json = await foedus([...args, "--json", "--quiet"]);
    assert.deepEqual([json.code, json.stderr], [0, ""]);
    const report = JSON.parse(json.stdout) as { member: number; holds: boolean };
    assert.deepEqual([report.member, report.holds], [2, true]);
    assert.equal(await readFile(join(output, "member-2.json"), "utf8"), json.stdout);
    assert.match(await readFile(join(output, "member-2.html"), "utf8"), /^<!doctype html>[\s\S]*bit for bit/);

    const snapshot = join(output, "run", "snapshot-00005");
    const bytes = await readFile(snapshot);
    bytes[500] = (bytes[500] as number) ^ 1;
    await writeFile(snapshot, bytes);
    const damaged = await foedus(args);
    assert.equal(damaged.code, 1);
    assert.ok(damaged.stderr.includes(`${snapshot} is damaged`), damaged.stderr);
  });

  it("deletes nothing where its report cannot be written", async (t) => {
    const folder = await temporaryFolder(t);
    const file = join(folder, "tiny.yaml");
    const output = join(folder, "out");
    await writeFile(file, stringify(TINY));
    await mkdir(join(output, "member-2.html", "occupied"), { recursive: true });
    const { code } = await foedus(["unlearn", file, "--member", "2", "--output", output, "--quiet"]);
    assert.notEqual(code, 0);
    assert.match(await readFile(join(output, "run", "round-00001"), "latin1"), /"upload 2"/);
  });

  it("ends with 1 where the evidence does not hold, but not for an approximation beside an exact method", async (t) => {
    const folder = await temporaryFolder(t);
    const file = join(folder, "memory.yaml");
    // A member with few samples and a model that learns them by heart: averaging the stored uploads anew over-corrects.
    const cell = {
      ...TINY,
      rounds: 15,
      model: { ...TINY.model, hidden: [64] },
      training: { ...TINY.training, localEpochs: 8 },
    };
    await writeFile(file, stringify(cell));
    const args = [
      "unlearn",
      file,
      "--member",
      "2",
      "--method",
      "recompute",
      "--output",
      join(folder, "out"),
      "--quiet",
    ];
    const { code, stdout } = await foedus(args);
    assert.match(stdout, /DOES NOT HOLD: recompute/);
    assert.equal(code, 1);
    const all = await foedus(args.map((word) => (word === "recompute" ? "all" : word)));
    assert.match(all.stdout, /DOES NOT HOLD: recompute[\s\S]*are deleted; those of the run without it/);
    assert.equal(all.code, 0);
    assert.match(await readFile(join(folder, "out", "member-2.html"), "utf8"), /are deleted; those of the run without/);
  });

  it("names the rounds that failed without the member", async (t) => {
    const folder = await temporaryFolder(t);
    const file = join(folder, "small.yaml");
    // Cohorts of three, which is what the median needs.
    await writeFile(file, stringify({ ...TINY, participation: 0.5, aggregation: { rule: "coordinate-median" } }));
    const { stdout } = await foedus(["unlearn", file, "--member", "2", "--output", join(folder, "out"), "--quiet"]);
    assert.match(
      stdout,
      /exact: without it \d of 7 rounds failed, which leaves the model as it was: \d \(TOO_FEW_UPDATES\)/,
    );
  });
});
