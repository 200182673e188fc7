// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { stringify } from "yaml";
import { writeDeployment } from "../../src/chain/deployment.ts";
import type { DevelopmentAccount } from "../../src/chain/developmentAccounts.ts";
import { createKeyFile, ParticipantKeys } from "../../src/chain/keys.ts";
import { utf8 } from "../../src/protocol/bytes.ts";
import { sha256 } from "../../src/protocol/hash.ts";
import { type Federation, runParams, startFederation } from "../chain/support/federation.ts";
import { foedus, start, temporaryFolder } from "./support.ts";

/** The commands against real contracts, as far as they go without a run that is under way; whole runs are the demo's. */
describe("foedus with a chain", () => {
  let federation: Federation;
  before(async () => {
    federation = await startFederation();
  });
  after(() => federation.stop());

  /** A participant's files; what is given replaces options of the YAML. */
  async function participant(
    t: TestContext,
    account: DevelopmentAccount,
    options: Record<string, unknown>,
  ): Promise<{ file: string; deployment: string }> {
    const folder = await temporaryFolder(t);
    const secret = (what: string) => sha256(utf8(`${account.address} ${what}`));
    const keys = new ParticipantKeys({
      signerPrivateKey: account.privateKey,
      encryptionPrivateKey: secret("encryption"),
      beaconSecret: secret("beacon"),
    });
    await createKeyFile(join(folder, "keys.json"), "passphrase", { keys, cost: "light" });
    await writeFile(join(folder, "passphrase"), "passphrase\n");
    const deployment = join(folder, "deployment.json");
    await writeDeployment(deployment, federation.deployment);
    const file = join(folder, "foedus.yaml");
    await writeFile(
      file,
      stringify({
        rpc: federation.chain.rpcUrl,
        deployment: "deployment.json",
        keyFile: "keys.json",
        passphrase: { file: "passphrase" },
        run: 1,
        state: "state",
        store: { kind: "helia", folder: "store", listen: [] },
        ...options,
      }),
    );
    return { file, deployment };
  }
  const node = { data: { kind: "csv", file: "shard.csv", inputs: 4, classes: 2 } };

  it("a node waits for its run, shows it on its pages, refuses a second of itself, and stops in order", async (t) => {
    const member = federation.members[0];
    assert.ok(member !== undefined);
    const { file } = await participant(t, member.account, { ...node, http: { port: 0 } });
    const running = start(["node", "start", "--config", file]);
    t.after(() => void running.process.kill("SIGKILL"));
    const { url } = JSON.parse(await running.line(/"status pages"/)) as { url: string };
    await running.line(/waiting for the run to be opened/);
    const status = (await (await fetch(url)).json()) as { phase: string; events: { message: string }[] };
    assert.equal(status.phase, "starting");
    assert.equal(status.events[0]?.message, "waiting for the run to be opened");

    const second = await foedus(["node", "start", "--config", file]);
    assert.equal(second.code, 2, second.stderr);
    assert.match(second.stderr, new RegExp(`Process ${running.process.pid} works in .*state already`));

    running.process.kill("SIGINT");
    const { code, stderr } = await running.finished;
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /passphrase|Unexpected/);
    for (const line of stderr.trim().split("\n")) assert.doesNotThrow(() => JSON.parse(line), line);
  });

  it("a key without a role, a key of another role, and another encryption key than registered are told what to do", async (t) => {
    const [validator] = federation.validators;
    assert.ok(validator !== undefined);
    const stranger = await participant(t, federation.outsider, node);
    const other = await participant(t, validator.account, {});
    const gateway = await participant(t, federation.outsider, {
      ...node,
      store: { kind: "gateway", url: "http://127.0.0.1:1" },
    });
    for (const [command, file, message] of [
      ["node", stranger.file, /The key 0x\w+ belongs to no member of the consortium .* Have the admin admit it/],
      ["node", gateway.file, /a gateway only reads: write store: \{ kind: helia/],
      // The registry of this test knows made-up encryption keys.
      ["validator", other.file, /Validator 1 is registered with the encryption key 0x\w+; the key file has 0x\w+/],
    ] as const) {
      const { code, stderr } = await foedus([command, "start", "--config", file]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
    const { file } = await participant(t, federation.outsider, {});
    const outsider = await foedus(["validator", "start", "--config", file]);
    assert.equal(outsider.code, 2);
    assert.match(outsider.stderr, /belongs to no validator in version 1 of the consortium's set/);
  });

  it("shows a run, and says when there is none of that number", async (t) => {
    await federation.admin.openRun(runParams(federation, { pool: 0n }));
    const { deployment } = await participant(t, federation.outsider, {});
    const { rpcUrl } = federation.chain;
    const shown = await foedus(["run", "show", "--rpc", rpcUrl, "--deployment", deployment, "--run", "1", "--json"]);
    assert.equal(shown.code, 0, shown.stderr);
    const view = JSON.parse(shown.stdout) as {
      run: string;
      rounds: unknown[];
      members: { reputation: number }[];
      settled: boolean;
    };
    assert.equal(view.run, "1");
    assert.deepEqual(view.rounds, []);
    assert.deepEqual(
      view.members.map(({ reputation }) => reputation),
      [1, 1, 1, 1],
    );
    assert.equal(view.settled, false);

    const { trainingLedger } = federation.deployment.addresses;
    const text = await foedus(["run", "show", "--rpc", rpcUrl, "--ledger", trainingLedger, "--run", "1"]);
    assert.equal(text.code, 0, text.stderr);
    assert.match(text.stdout, /^Run 1 on chain 31337 at block \d+: 0 of 1 rounds finalised\n/);

    const none = await foedus(["run", "show", "--rpc", rpcUrl, "--ledger", trainingLedger, "--run", "9"]);
    assert.equal(none.code, 2);
    assert.match(none.stderr, /There is no run 9 in this federation/);
    const elsewhere = await foedus([
      "run",
      "show",
      "--rpc",
      rpcUrl,
      "--ledger",
      federation.deployment.addresses.consortium,
      "--run",
      "1",
    ]);
    assert.notEqual(elsewhere.code, 0, "another contract was taken for the ledger");
  });

  it("refuses to claim before the settlement, for members and for others", async (t) => {
    const [member] = federation.members;
    assert.ok(member !== undefined);
    const own = await participant(t, member.account, node);
    const early = await foedus(["claim", "--config", own.file]);
    assert.equal(early.code, 1);
    assert.match(early.stderr, /Run 1 has not ended\./);
    const stranger = await participant(t, federation.outsider, node);
    const refused = await foedus(["claim", "--config", stranger.file]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /belongs to no member/);
  });

  it("an audit fails at the link that is false, and not where the store is only out of reach", async (t) => {
    const { deployment } = await participant(t, federation.outsider, {});
    const common = [
      "audit",
      "--rpc",
      federation.chain.rpcUrl,
      "--deployment",
      deployment,
      "--run",
      "1",
      "--timeout",
      "1",
    ];
    const empty = await foedus([...common, "--store", "helia:", "--json"]);
    assert.equal(empty.code, 1, empty.stderr);
    const report = JSON.parse(empty.stdout) as { ok: boolean; failures: { round: number | null; link: string }[] };
    assert.equal(report.ok, false);
    assert.deepEqual(
      report.failures.map(({ round, link }) => ({ round, link })),
      [{ round: null, link: "recipe" }],
    );

    const text = await foedus([...common, "--store", "helia:"]);
    assert.match(text.stdout, /✗ run, link "recipe": /);
    assert.match(text.stdout, /Verdict: FALSE\. 1 link does not hold; the first is "recipe" of the run\./);

    // Nobody answers on port 1 of loopback.
    const unreachable = await foedus([...common, "--store", "http://127.0.0.1:1"]);
    assert.equal(unreachable.code, 3, unreachable.stdout);
    assert.match(unreachable.stderr, /The content store at http:\/\/127\.0\.0\.1:1 cannot be used/);

    const later = await foedus([...common, "--store", "helia:", "--round", "3"]);
    assert.equal(later.code, 2);
    assert.match(later.stderr, /Run 1 has 0 rounds so far/);
  });
});
