// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ResultsFile, readResults } from "../../../src/simulation/laboratory/resultsFile.ts";
import { resultOf } from "./results.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "foedus-results-"));
});
after(() => rm(folder, { recursive: true }));

const [first, second] = [resultOf({ rule: "mean" }, 1, {}), resultOf({ rule: "mean" }, 2, {})];

test("what was appended is found again, also by another opening", async () => {
  const path = join(folder, "again", "results.jsonl");
  const file = await ResultsFile.open(path);
  await file.append(first);
  assert.deepEqual(file.get(first.id), first);
  await file.close();
  const reopened = await ResultsFile.open(path);
  assert.deepEqual(reopened.get(first.id), first);
  assert.equal(reopened.get(second.id), undefined);
  await reopened.append(second);
  await reopened.close();
  assert.deepEqual(await readResults(path), [first, second]);
});

test("half a line at the end is taken away and its cell runs again", async () => {
  const path = join(folder, "cut.jsonl");
  const file = await ResultsFile.open(path);
  await file.append(first);
  await file.close();
  await appendFile(path, JSON.stringify(second).slice(0, 40));
  const reopened = await ResultsFile.open(path);
  assert.equal(reopened.get(second.id), undefined);
  await reopened.append(second);
  await reopened.close();
  assert.equal(await readFile(path, "utf8"), `${JSON.stringify(first)}\n${JSON.stringify(second)}\n`);
});

test("the last of several results of one cell counts", async () => {
  const path = join(folder, "twice.jsonl");
  const file = await ResultsFile.open(path);
  await file.append(first);
  await file.append({ ...first, code: "ffffffffffffffff" });
  await file.close();
  assert.deepEqual(
    (await readResults(path)).map(({ code }) => code),
    ["ffffffffffffffff"],
  );
});

test("a line that is no result is named", async () => {
  const path = join(folder, "bad.jsonl");
  await appendFile(path, `${JSON.stringify(first)}\n{"version":1}\n`);
  await assert.rejects(ResultsFile.open(path), /bad\.jsonl, line 2/);
});
