// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { readDeployment } from "../../src/chain/deployment.ts";
import { type EmbeddedChain, startEmbeddedChain } from "../../src/chain/embeddedChain.ts";
import { openKeyFile } from "../../src/chain/keys.ts";
import { connectLedger } from "../../src/chain/ledgerClient.ts";
import type { RpcLedgerReader } from "../../src/chain/ledgerReader.ts";
import { toHex } from "../../src/protocol/bytes.ts";
import { ruleId } from "../../src/protocol/recipe.ts";
import { word } from "../chain/support/federation.ts";
import { closedPortUrl } from "../chain/support/proxy.ts";

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const PASSPHRASE = "a passphrase for tests";
const SCRIPTS = fileURLToPath(new URL("../../scripts", import.meta.url));

// One story in order, as an admin lives it; the scripts run as their users run them, each in a process of its own.
describe("admin scripts", () => {
  let chain: EmbeddedChain;
  let folder: string;
  let ledger: RpcLedgerReader;
  let run: bigint;
  const file = (name: string) => join(folder, name);

  before(async () => {
    chain = await startEmbeddedChain({ accounts: 2, blockMs: 40 });
    folder = await mkdtemp(join(tmpdir(), "foedus-scripts-"));
    await writeFile(file("passphrase"), `${PASSPHRASE}\n`);
  });
  after(async () => {
    ledger?.close();
    await chain.stop();
    await rm(folder, { recursive: true });
  });

  async function script(name: string, ...args: string[]): Promise<Ran> {
    const env = {
      ...process.env,
      FOEDUS_PASSPHRASE: PASSPHRASE,
      ADMIN_KEY: chain.accounts[0]?.privateKey,
      FOEDUS_RPC_URL: chain.rpcUrl,
      FOEDUS_ADMIN_KEY: chain.accounts[0]?.privateKey,
    };
    return await new Promise((resolve) => {
      execFile(process.execPath, [join(SCRIPTS, `${name}.ts`), ...args], { env }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      });
    });
  }

  /** Runs a script with --json that must succeed. */
  async function ok(name: string, ...args: string[]): Promise<Record<string, unknown>> {
    const ran = await script(name, ...args, "--json");
    assert.equal(ran.code, 0, `${name}: ${ran.stdout}${ran.stderr}`);
    return JSON.parse(ran.stdout) as Record<string, unknown>;
  }

  /** Runs a script with --json that must fail with this exit code. @returns the error it prints. */
  async function fails(code: number, name: string, ...args: string[]): Promise<Record<string, unknown>> {
    const ran = await script(name, ...args, "--json");
    assert.equal(ran.code, code, `${name}: ${ran.stdout}${ran.stderr}`);
    return (JSON.parse(ran.stdout) as { error: Record<string, unknown> }).error;
  }

  const asAdmin = () => [
    "--rpc",
    chain.rpcUrl,
    "--key-file",
    file("admin.json"),
    "--deployment",
    file("deployment.json"),
  ];
  const as = (keys: string) => [
    "--rpc",
    chain.rpcUrl,
    "--key-file",
    file(keys),
    "--deployment",
    file("deployment.json"),
  ];

  it("every script shows options, examples and exit codes with --help", async () => {
    const names = (await readdir(SCRIPTS)).filter((name) => name.endsWith(".ts")).map((name) => name.slice(0, -3));
    const mine = names.filter((name) => !["abi", "ceremony", "circuits", "experiments", "kernels"].includes(name));
    assert.equal(mine.length, 10);
    const helps = await Promise.all(mine.map((name) => script(name, "--help")));
    for (const [i, { code, stdout }] of helps.entries()) {
      assert.equal(code, 0, mine[i]);
      assert.match(stdout, /--json[\s\S]*Examples:\n {2}node scripts\/[\s\S]*Exit codes: 0 done/, mine[i]);
    }
  });

  it("keygen makes key files, and keeps a given signer", async () => {
    const names = ["v1", "v2", "v3", "v4", "v5", "m1", "m2", "m3", "m4", "auditor"];
    const made = await Promise.all(names.map((name) => ok("keygen", "--out", file(`${name}.json`), "--light")));
    assert.equal(new Set(made.map(({ signer }) => signer)).size, names.length);
    const admin = await ok("keygen", "--out", file("admin.json"), "--light", "--signer-variable", "ADMIN_KEY");
    assert.equal(admin["signer"], chain.accounts[0]?.address);
    const printed = await script("keygen", "--out", file("shown.json"), "--light");
    const secret = (await openKeyFile(file("shown.json"), PASSPHRASE)).signerPrivateKey;
    assert.ok(!`${printed.stdout}${printed.stderr}`.includes(secret.slice(2)));
    const again = await fails(2, "keygen", "--out", file("admin.json"), "--light");
    assert.match(again["message"] as string, /exists already/);
  });

  it("deploy writes the deployment, and does not overwrite another", async () => {
    const keys = ["v1", "v2", "v3", "v4"].map((name) => file(`${name}.json`));
    const args = [...asAdmin(), "--development-token", "--validator-keys", ...keys];
    const said = await ok("deploy", ...args);
    const deployment = await readDeployment(file("deployment.json"));
    assert.deepEqual(said["addresses"], deployment.addresses);
    assert.equal((await fails(2, "deploy", ...args))["code"], "BAD_CONFIG");
    ledger = await connectLedger({ rpcUrl: chain.rpcUrl, deploymentFile: file("deployment.json") });
    assert.equal((await ledger.validatorSet(1)).validators.length, 4);
  });

  it("fund gives coin for gas and tokens for the pool, and shows balances", async () => {
    const deployment = await readDeployment(file("deployment.json"));
    for (const name of ["v1", "v2", "v3", "m1"]) {
      const { address } = await openKeyFile(file(`${name}.json`), PASSPHRASE);
      const said = await ok("fund", ...asAdmin(), "--to", address, "--coin", "1.5");
      assert.equal(said["coin"], "1500000000000000000");
    }
    const said = await ok("fund", ...asAdmin(), "--mint", "5000", "--approve", "10");
    assert.deepEqual([said["token"], said["balance"], said["allowance"]], [deployment.token, "5000", "10"]);
    assert.match(
      (await script("fund", ...asAdmin())).stdout,
      /5000 units of 0x\w+, of which ShapleyRewards may take 10/,
    );
  });

  it("admit makes members and auditors, once each", async () => {
    for (const [index, name] of ["m1", "m2", "m3", "m4"].entries()) {
      const args = [
        "member",
        ...asAdmin(),
        "--keys",
        file(`${name}.json`),
        "--name",
        `Hospital ${name}`,
        "--max-samples",
        "500",
      ];
      const said = await ok("admit", ...args);
      assert.deepEqual([said["id"], said["already"]], [index + 1, false]);
      if (index === 0) assert.equal((await ok("admit", ...args))["already"], true);
    }
    assert.equal(await ledger.memberCount(), 4);
    const auditor = await ok("admit", "auditor", ...asAdmin(), "--keys", file("auditor.json"));
    assert.deepEqual([auditor["id"], auditor["role"]], [1, "auditor"]);
    const taken = await fails(1, "admit", "auditor", ...asAdmin(), "--keys", file("m1.json"));
    assert.deepEqual(
      [taken["code"], (taken["values"] as Record<string, unknown>)["error"]],
      ["LEDGER_REVERT", "ConsortiumSignerTaken"],
    );
    assert.equal((await fails(2, "admit", "member", ...asAdmin(), "--keys", file("v5.json")))["code"], "BAD_CONFIG");
  });

  it("only the admin admits", async () => {
    const refused = await fails(1, "admit", "auditor", ...as("m1.json"), "--keys", file("v5.json"));
    assert.match(refused["message"] as string, /OwnableUnauthorizedAccount/);
  });

  it("suspend suspends, and lifts", async () => {
    assert.equal((await ok("suspend", "member", "4", ...asAdmin()))["suspended"], true);
    assert.equal((await ok("suspend", "member", "4", ...asAdmin()))["already"], true);
    assert.equal((await ok("suspend", "member", "4", "--lift", ...asAdmin()))["suspended"], false);
    assert.equal((await ok("suspend", "validator", "2", ...asAdmin()))["already"], false);
    assert.equal((await ok("suspend", "validator", "2", "--lift", ...asAdmin()))["already"], false);
    assert.match(
      (await fails(1, "suspend", "auditor", "9", ...asAdmin()))["message"] as string,
      /ConsortiumUnknownAuditor/,
    );
  });

  it("rotate writes the new keys before it tells the registry, and can be completed after an interruption", async () => {
    const old = await openKeyFile(file("m1.json"), PASSPHRASE);
    // The chain is not reachable: the new key file is there, the registry knows nothing.
    const gone = [
      "--rpc",
      await closedPortUrl(),
      "--key-file",
      file("m1.json"),
      "--deployment",
      file("deployment.json"),
    ];
    await fails(3, "rotate", ...gone, "--encryption", "--light", "--out", file("m1-2.json"));
    const prepared = await openKeyFile(file("m1-2.json"), PASSPHRASE);
    const said = await ok("rotate", ...as("m1.json"), "--encryption", "--light", "--out", file("m1-2.json"));
    assert.deepEqual(
      [said["role"], said["id"], said["encryptionKey"]],
      ["member", 1, toHex(prepared.encryptionPublicKey)],
    );
    assert.deepEqual(prepared.retiredEncryptionKeys, [old.encryptionPrivateKey]);
    const other = await fails(2, "rotate", ...as("m1.json"), "--signer", "--light", "--out", file("m1-2.json"));
    assert.match(other["message"] as string, /is not a rotation/);
    const stranger = await fails(2, "rotate", ...as("v5.json"), "--encryption", "--light", "--out", file("v5-2.json"));
    assert.match(stranger["message"] as string, /not the current key/);
    // A validator's new signer acts at once in later sets.
    await ok("rotate", ...as("v1.json"), "--signer", "--encryption", "--light", "--out", file("v1-2.json"));
    const { address } = await openKeyFile(file("v1-2.json"), PASSPHRASE);
    assert.equal((await ledger.validatorSet(2)).validators[0]?.signer, address);
    await ok("fund", ...asAdmin(), "--to", address, "--coin", "1");
  });

  it("approve-validator changes the set with the q-th approval", async () => {
    const approvals = [];
    for (const name of ["v1-2", "v2", "v3"]) {
      const said = await ok("approve-validator", ...as(`${name}.json`), "--keys", file("v5.json"));
      approvals.push([said["approvals"], said["quorum"], said["executed"]]);
    }
    assert.deepEqual(approvals, [
      [1, 3, false],
      [2, 3, false],
      [3, 3, true],
    ]);
    const set = await ledger.validatorSet(await ledger.latestValidatorSetVersion());
    assert.equal(set.validators.length, 5);
    assert.equal((await fails(2, "approve-validator", ...as("v2.json")))["code"], "BAD_CONFIG");
    assert.equal((await ok("approve-validator", ...as("v2.json"), "--remove", "4"))["quorum"], 4);
  });

  const request = {
    recipeDigest: word("recipe"),
    recipeCid: word("recipe cid"),
    ruleId: ruleId("weighted-mean", 1),
    initialModelRoot: word("model"),
    initialCheckpointCid: word("checkpoint"),
    rounds: 2,
    maxOpenings: 5,
    cohort: 4,
    capacity: 6,
    minAccepted: 3,
    commitBlocks: 10,
    judgeBlocks: 10,
    fetchBlocks: 3,
    attestBlocks: 10,
    viewBlocks: 3,
    challengeBlocks: 5,
    alphaQ16: 52_429,
    omegaQ16: 45_875,
    pool: "5000",
    disputeBond: "1",
  };

  it("open-run opens the run of a file, approving exactly its pool", async () => {
    await writeFile(file("run.json"), JSON.stringify(request));
    const said = await ok("open-run", file("run.json"), ...asAdmin());
    run = BigInt(said["run"] as string);
    assert.equal(run, 1n);
    const deployment = await readDeployment(file("deployment.json"));
    const view = await ledger.runView(run);
    assert.equal(view.head, said["genesisHead"]);
    assert.deepEqual(view.params, {
      ...request,
      pool: 5000n,
      disputeBond: 1n,
      verifier: deployment.verifiers["8"],
      token: deployment.token,
      scoring: 0,
    });
    const funds = await ok("fund", ...asAdmin());
    assert.deepEqual([funds["balance"], funds["allowance"]], ["0", "0"]);
  });

  it("open-run says what is wrong before or as the contract says it", async () => {
    const opened = async (change: Record<string, unknown>) => {
      await writeFile(file("wrong.json"), JSON.stringify({ ...request, pool: "0", disputeBond: "0", ...change }));
      return ["open-run", file("wrong.json"), ...asAdmin()] as const;
    };
    assert.match((await fails(2, ...(await opened({ pool: "7" }))))["message"] as string, /has 0 units/);
    assert.match((await fails(2, ...(await opened({ capacity: 33 }))))["message"] as string, /No deployed verifier/);
    assert.match((await fails(2, ...(await opened({ rounds: "2" }))))["message"] as string, /rounds/);
    assert.match((await fails(2, ...(await opened({ extra: 1 }))))["message"] as string, /extra/);
    const refused = await fails(1, ...(await opened({ fetchBlocks: 10 })));
    assert.match(
      refused["message"] as string,
      /TrainingLedgerBadParameter \(name fetchBlocks, value 10, min 1, max 9\)/,
    );
  });

  it("takes address and key of a network in hardhat.config.ts", async () => {
    const network = ["--network", "consortium", "--deployment", file("deployment.json")];
    assert.equal((await ok("fund", ...network))["account"], chain.accounts[0]?.address);
    assert.match((await fails(2, "fund", "--network", "nowhere"))["message"] as string, /localhost, consortium/);
    assert.match((await fails(2, "fund", "--network", "default"))["message"] as string, /simulated/);
    assert.equal((await fails(2, "fund"))["code"], "BAD_CONFIG");
  });

  it("ends with 3 when the chain is not there, and 2 when options are wrong", async () => {
    const gone = await fails(3, "fund", "--rpc", await closedPortUrl(), "--key-file", file("admin.json"));
    assert.equal(gone["code"], "CHAIN_UNREACHABLE");
    for (const args of [
      ["--nonsense"],
      ["--to", "0x12"],
      ["--mint", "-1"],
      ["--rpc", chain.rpcUrl, "--network", "localhost"],
    ]) {
      const ran = await script("fund", ...args);
      assert.equal(ran.code, 2, args.join(" "));
      assert.notEqual(ran.stderr, "");
    }
    assert.equal((await script("admit", "validator")).code, 2);
  });

  it("prints no secret anywhere, not even in errors", async () => {
    const keys = await openKeyFile(file("m1.json"), PASSPHRASE);
    await writeFile(file("wrong-passphrase"), "wrong\n");
    const ran = await script("fund", ...as("m1.json"), "--passphrase-file", file("wrong-passphrase"));
    assert.equal(ran.code, 2);
    for (const secret of [PASSPHRASE, keys.signerPrivateKey.slice(2)])
      assert.ok(!`${ran.stdout}${ran.stderr}`.includes(secret));
    assert.ok(!(await readFile(file("deployment.json"), "utf8")).includes(keys.signerPrivateKey.slice(2)));
  });
});
