// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseNodeConfig, readNodeConfig, withDevice } from "../../src/node/options.ts";
import { privacyFiles } from "../../src/node/privacyFiles.ts";
import { ConfigError } from "../../src/protocol/errors.ts";
import { parseValidatorConfig } from "../../src/validator/options.ts";
import { temporaryFolder } from "../cli/support.ts";

const COMMON = {
  rpc: "http://127.0.0.1:8545",
  deployment: "deployment.json",
  keyFile: "keys.json",
  run: 1,
  state: "state",
  store: { kind: "helia", folder: "store", swarmKeyFile: "../swarm.key" },
};
const NODE = { ...COMMON, data: { kind: "csv", file: "shard.csv", inputs: 64, classes: 10 } };
const FILE = "/etc/foedus/node.yaml";

function failureOf(value: unknown, parse: (value: unknown, file: string) => unknown = parseNodeConfig): ConfigError {
  try {
    parse(value, FILE);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error;
  }
  assert.fail("the configuration was accepted");
}

describe("configuration of nodes and validators", () => {
  it("takes the least that is needed and fills in the rest; paths start at the file", () => {
    const config = parseNodeConfig(NODE, FILE);
    assert.deepEqual(config, {
      rpc: "http://127.0.0.1:8545",
      deployment: "/etc/foedus/deployment.json",
      keyFile: "/etc/foedus/keys.json",
      passphrase: { env: "FOEDUS_PASSPHRASE" },
      run: 1n,
      state: "/etc/foedus/state",
      store: {
        kind: "helia",
        folder: "/etc/foedus/store",
        swarmKeyFile: "/etc/swarm.key",
        listen: ["/ip4/127.0.0.1/tcp/0"],
        peers: [],
      },
      data: { kind: "csv", file: "/etc/foedus/shard.csv", inputs: 64, classes: 10, scale: 1, header: false },
      engine: { kind: "onnxruntime-node", device: "cpu", threads: 1 },
      privacy: {},
      finalityDepth: 0,
      log: "info",
    });
    assert.deepEqual(privacyFiles(config), {
      ledger: "/etc/foedus/state/privacy/ledger.jsonl",
      secret: "/etc/foedus/state/privacy/noise.key",
    });
    const validator = parseValidatorConfig(
      { ...COMMON, prover: { artifacts: "keys" }, passphrase: { file: "/run/secrets/p" } },
      FILE,
    );
    assert.deepEqual(validator.prover, { threads: 1, artifacts: "/etc/foedus/keys" });
    assert.deepEqual(validator.passphrase, { env: "FOEDUS_PASSPHRASE", file: "/run/secrets/p" });
    assert.equal(validator.heldOut, undefined);
    const heldOut = { kind: "csv", file: "held-out.csv", inputs: 64, classes: 10 };
    assert.deepEqual(parseValidatorConfig({ ...COMMON, heldOut }, FILE).heldOut, {
      ...heldOut,
      file: "/etc/foedus/held-out.csv",
      scale: 1,
      header: false,
    });
  });

  it("takes what private runs keep and spend, or says what to write", () => {
    const privacy = { ledger: "privacy.jsonl", secret: "/run/noise.key", maxEpsilon: 2.5, publicRuns: [1, "2"] };
    const config = parseNodeConfig({ ...NODE, privacy }, FILE);
    assert.deepEqual(config.privacy, { ...privacy, ledger: "/etc/foedus/privacy.jsonl", publicRuns: [1n, 2n] });
    assert.deepEqual(privacyFiles(config), { ledger: "/etc/foedus/privacy.jsonl", secret: "/run/noise.key" });
    const refused = (value: object) => failureOf({ ...NODE, privacy: value }).message;
    assert.match(
      refused({ maxEpsilon: 0 }),
      /"privacy\.maxEpsilon" is not valid .*the ε that this member spends at most/,
    );
    assert.match(refused({ epsilon: 1 }), /"privacy\.epsilon" is unknown; known in "privacy" are privacy\.ledger, /);
  });

  it("takes a member's resource as a number, or measures it", () => {
    const resourceOf = (resource: unknown) => parseNodeConfig({ ...NODE, resource }, FILE).resource;
    assert.equal(resourceOf(2.5), 2.5);
    assert.equal(resourceOf("measured"), "measured");
    for (const wrong of [0, "fast", 1e7])
      assert.match(
        failureOf({ ...NODE, resource: wrong }).message,
        /"resource" is not valid .*e\.g\. 2\.5, or measured/,
      );
  });

  it("takes each engine with what it needs; a program starts in the file's folder", () => {
    const engineOf = (engine: object): object => parseNodeConfig({ ...NODE, engine }, FILE).engine;
    assert.deepEqual(engineOf({ kind: "tensorflow" }), { kind: "tensorflow", device: "auto", threads: 1 });
    assert.deepEqual(engineOf({ kind: "process", command: ["python3", "member.py"], device: "cuda:1" }), {
      kind: "process",
      command: ["python3", "member.py"],
      folder: "/etc/foedus",
      device: "cuda:1",
      threads: 1,
      timeoutSeconds: 600,
    });
    const wrong = (engine: object): string => failureOf({ ...NODE, engine }).message;
    assert.match(wrong({ kind: "process" }), /"engine\.command" is missing; write program and arguments/);
    assert.match(
      wrong({ kind: "onnxruntime-node", device: "tpu" }),
      /"engine\.device" is not valid .*; write cpu, cuda/,
    );
    assert.match(
      wrong({ kind: "jax" }),
      /"engine\.kind" is not valid .*; write onnxruntime-node, tensorflow or process/,
    );
    assert.match(wrong({ kind: "tensorflow", command: ["x"] }), /"engine\.command" is unknown/);
  });

  it("--device replaces the engine's device, if the engine has it", () => {
    const config = parseNodeConfig(NODE, FILE);
    assert.deepEqual(withDevice(config, "cuda"), { ...config, engine: { ...config.engine, device: "cuda" } });
    assert.throws(() => withDevice(config, "tpu"), {
      code: "BAD_CONFIG",
      message: /--device tpu is not for the engine onnxruntime-node; write cpu/,
    });
  });

  it("keeps pages on loopback unless told otherwise", () => {
    assert.deepEqual(parseNodeConfig({ ...NODE, http: { port: 8600 } }, FILE).http, { host: "127.0.0.1", port: 8600 });
  });

  it("takes the run as a number or, beyond exact numbers, as text", () => {
    assert.equal(parseNodeConfig({ ...NODE, run: "18446744073709551615" }, FILE).run, 18446744073709551615n);
    for (const run of [0, -1, 1.5, "x", "01"]) assert.match(failureOf({ ...NODE, run }).message, /"run" is not valid/);
  });

  it("names file, place and what to write for everything that is wrong, all at once", () => {
    const { message, exitCode, values } = failureOf({
      ...NODE,
      rpc: "ftp://x",
      keyFile: undefined,
      data: { kind: "csv", file: "x", inputs: 0, classes: 10 },
    });
    assert.equal(exitCode, 2);
    assert.deepEqual(values.paths, ["rpc", "keyFile", "data.inputs"]);
    const lines = message.split("\n");
    assert.match(lines[0] as string, /^\/etc\/foedus\/node\.yaml: "rpc" is not valid .*; write the JSON-RPC endpoint/);
    assert.equal(
      lines[1],
      '/etc/foedus/node.yaml: "keyFile" is missing; make one with `foedus keys create` and write its path, e.g. keyFile: keys.json.',
    );
    assert.match(lines[2] as string, /"data\.inputs" is not valid .*; write how many feature columns/);
  });

  it("refuses what it does not know, at every depth, and lists what it does", () => {
    assert.match(failureOf({ ...NODE, storage: 1 }).message, /"storage" is unknown; known here are rpc, .*, seed\./);
    assert.match(
      failureOf({ ...NODE, passphrase: { value: "secret" } }).message,
      /"passphrase\.value" is unknown; known in "passphrase" are passphrase\.env, passphrase\.file\./,
    );
    assert.match(failureOf({ ...COMMON, data: NODE.data }, parseValidatorConfig).message, /"data" is unknown/);
    assert.doesNotMatch(failureOf({ ...NODE, passphrase: { value: "secret" } }).message, /: secret/);
  });

  it("refuses what is no mapping", () => {
    for (const value of [undefined, null, [], "rpc", 3])
      assert.match(failureOf(value).message, /this is no configuration/);
  });

  it("reads YAML, in which a key stands once", async (t) => {
    const file = join(await temporaryFolder(t), "node.yaml");
    await writeFile(file, JSON.stringify(NODE));
    assert.equal((await readNodeConfig(file)).run, 1n);
    await writeFile(file, "run: 1\nrun: 2\n");
    await assert.rejects(
      readNodeConfig(file),
      (error: Error) =>
        error instanceof ConfigError && /node\.yaml, line 2: this is not YAML: .*unique/.test(error.message),
    );
  });
});
