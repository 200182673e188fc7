// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { foedus, start, temporaryFolder } from "./support.ts";

const COMMANDS = [
  "node start",
  "validator start",
  "audit",
  "run show",
  "run prepare",
  "claim",
  "keys create",
  "keys show",
  "keys swarm",
  "store serve",
  "store address",
  "privacy noise",
  "privacy epsilon",
  "demo",
];

describe("foedus", () => {
  it("shows help for every command, with an example that names it", async () => {
    const [top, ...each] = await Promise.all([
      foedus(["--help"]),
      ...COMMANDS.map((command) => foedus([...command.split(" "), "--help"])),
    ]);
    assert.equal(top?.code, 0);
    for (const [i, { code, stdout }] of each.entries()) {
      const command = COMMANDS[i] as string;
      assert.equal(code, 0, command);
      assert.match(stdout, new RegExp(`^Usage: foedus ${command} `), command);
      assert.match(
        stdout.replace(/^Usage.*$/m, ""),
        new RegExp(`\\$ .*foedus ${command}\\b`),
        `${command} has no example`,
      );
      assert.match(top?.stdout ?? "", new RegExp(`^  ${command.split(" ")[0]} `, "m"), `${command} is not in the list`);
    }
  });

  it("loads nothing heavy to show help", async () => {
    const { stderr } = await foedus(["--help"], { NODE_DEBUG: "esm" });
    const loaded = [
      ...stderr.matchAll(/^ESM \d+: Translating \w+ file:\S*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//gm),
    ].map(([, name]) => name);
    assert.deepEqual([...new Set(loaded)], ["commander"]);
  });

  it("prints the version of the package", async () => {
    const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    assert.deepEqual(await foedus(["--version"]), { code: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("ends with 2 when it is used wrongly, and says how to use it", async () => {
    for (const [args, message] of [
      [["unknown"], /unknown command 'unknown'/],
      [["node", "start"], /required option '--config <file>' not specified/],
      [["audit", "--rpc", "nonsense"], /--rpc.*Write an http or https URL/],
      [
        ["audit", "--rpc", "http://127.0.0.1:1", "--store", "memory:", "--run", "0"],
        /--run.*Write the number of a run/,
      ],
      [["run", "show", "--rpc", "http://127.0.0.1:1", "--run", "1"], /--deployment FILE, or --ledger ADDRESS/],
      [
        [
          "audit",
          "--rpc",
          "http://127.0.0.1:1",
          "--store",
          "memory:",
          "--run",
          "1",
          "--ledger",
          "0x",
          "--deployment",
          "d",
        ],
        /cannot be used with option '--deployment/,
      ],
      [["claim"], /--config, or all of --rpc, --deployment, --key and --run/],
      [["store", "serve", "--store", "ftp:x"], /"ftp:x" is not a store/],
    ] as const) {
      const { code, stderr, stdout } = await foedus(args);
      assert.equal(code, 2, `foedus ${args.join(" ")}: ${stderr}`);
      assert.match(stderr, message);
      assert.equal(stdout, "");
    }
  });

  it("ends with 2 for a configuration that cannot be used, naming file, place and what to write", async (t) => {
    const folder = await temporaryFolder(t);
    const file = join(folder, "node.yaml");
    const missing = await foedus(["node", "start", "--config", file]);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /node\.yaml does not exist; write one as docs\/running-a-consortium\.md shows/);

    await writeFile(file, "rpc: http://127.0.0.1:1\nrun: [1\n");
    const broken = await foedus(["node", "start", "--config", file]);
    assert.equal(broken.code, 2);
    assert.match(broken.stderr, /node\.yaml, line \d: this is not YAML/);

    await writeFile(file, "run: 0\nstore: { kind: helia, foldr: x }\n");
    const wrong = await foedus(["validator", "start", "--config", file]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /node\.yaml: "rpc" is missing; write the JSON-RPC endpoint/);
    assert.match(wrong.stderr, /node\.yaml: "run" is not valid .*; write the run's number/);
    assert.match(wrong.stderr, /"store\.foldr" is unknown; known in "store" are .*store\.folder/);
    assert.doesNotMatch(wrong.stderr, /^ {4}at /m, "no stack without --verbose");
  });

  it("shows the stack with --verbose, wherever it stands", async () => {
    for (const args of [
      ["--verbose", "keys", "show", "/nonexistent"],
      ["keys", "show", "/nonexistent", "--verbose"],
    ]) {
      const { code, stderr } = await foedus(args);
      assert.equal(code, 2);
      assert.match(stderr, /^The key file \/nonexistent cannot be read\./);
      assert.match(stderr, /^ {4}at .*keys\.ts/m);
      assert.match(stderr, /^Caused by: .*ENOENT/m);
    }
  });

  it("ends with 3 when nobody answers at the endpoint, or not as a chain does", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => closed.once("listening", resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const rpc = `http://127.0.0.1:${port}`;
    const ledger = `0x${"11".repeat(20)}`;
    for (const args of [
      ["run", "show", "--rpc", rpc, "--ledger", ledger, "--run", "1"],
      ["audit", "--rpc", rpc, "--store", "memory:", "--ledger", ledger, "--run", "1"],
    ]) {
      const { code, stderr } = await foedus(args);
      assert.equal(code, 3, stderr);
      assert.match(stderr, new RegExp(`The chain endpoint ${rpc} .*Start the chain or correct the RPC address`));
    }
  });
});

describe("foedus keys", () => {
  it("makes a file that only its passphrase opens, and shows its public part", async (t) => {
    const file = join(await temporaryFolder(t), "keys.json");
    const env = { FOEDUS_PASSPHRASE: "correct horse" };
    const created = await foedus(["keys", "create", "--out", file, "--light", "--json"], env);
    assert.equal(created.code, 0, created.stderr);
    const keys = JSON.parse(created.stdout) as { signer: string; encryptionKey: string };
    assert.match(keys.signer, /^0x[0-9a-fA-F]{40}$/);
    assert.equal((await stat(file)).mode & 0o077, 0, "others can read it");

    const shown = await foedus(["keys", "show", file, "--json"]);
    assert.deepEqual(JSON.parse(shown.stdout), { file, signer: keys.signer, encryptionKey: keys.encryptionKey });
    assert.equal((await foedus(["keys", "show", file, "--check"], env)).code, 0);
    const wrong = await foedus(["keys", "show", file, "--check"], { FOEDUS_PASSPHRASE: "wrong" });
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /passphrase does not open/);

    const again = await foedus(["keys", "create", "--out", file, "--light"], env);
    assert.equal(again.code, 2, "an existing file is overwritten");
    const none = await foedus(["keys", "create", "--out", `${file}.2`, "--light"]);
    assert.equal(none.code, 2);
    assert.match(none.stderr, /FOEDUS_PASSPHRASE/);
  });

  it("makes a swarm key that a store takes, once", async (t) => {
    const file = join(await temporaryFolder(t), "swarm.key");
    assert.equal((await foedus(["keys", "swarm", "--out", file])).code, 0);
    assert.equal((await foedus(["keys", "swarm", "--out", file])).code, 2, "an existing key is overwritten");
    const address = await foedus([
      "store",
      "address",
      "--store",
      `helia:?listen=/ip4/127.0.0.1/tcp/0&swarmKey=${file}`,
    ]);
    assert.equal(address.code, 0, address.stderr);
    assert.match(address.stdout, /^\/ip4\/127\.0\.0\.1\/tcp\/[0-9]+\/p2p\/12D3Koo\w+\n$/);
  });
});

describe("foedus store serve", () => {
  it("stops in order at the first signal", async (t) => {
    const folder = join(await temporaryFolder(t), "store");
    const running = start(["store", "serve", "--store", `helia:${folder}`, "--http-port", "0"]);
    t.after(() => void running.process.kill("SIGKILL"));
    const { url } = JSON.parse(await running.line(/serving over HTTP/)) as { url: string };
    const answer = await fetch(`${url}bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi`);
    assert.equal(answer.status, 404);
    running.process.kill("SIGTERM");
    const { code, stderr } = await running.finished;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /"signal":"SIGTERM".*stopping/);
  });
});
