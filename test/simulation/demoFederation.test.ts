// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { developmentAccounts } from "../../src/chain/developmentAccounts.ts";
import { readYaml } from "../../src/process/readYaml.ts";
import { layOutFederation, writeParticipantFiles } from "../../src/simulation/demoFederation.ts";
import { clusters } from "../round/serverLearning/federation.ts";

it("members' files say what their machines can do, where they do say it", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "foedus-files-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const shards = ["a", "b"].map((name) => clusters(name, 6));
  const files = await layOutFederation({
    folder,
    seed: "files",
    shards,
    validators: 1,
    accounts: developmentAccounts(5),
  });
  await writeParticipantFiles(files, 1n, "http://127.0.0.1:1", { device: "cpu", speeds: [2.5, undefined] });
  const configs = await Promise.all(files.members.map(({ configFile }) => readYaml(configFile, "")));
  assert.deepEqual(
    configs.map((config) => (config as { resource?: number }).resource),
    [2.5, undefined],
  );
});
