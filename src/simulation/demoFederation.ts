// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import type { DevelopmentAccount } from "../chain/developmentAccounts.ts";
import { createKeyFile, ParticipantKeys } from "../chain/keys.ts";
import { encodeDataset } from "../data/encodeDataset.ts";
import { toHex, utf8 } from "../protocol/bytes.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { sha256 } from "../protocol/hash.ts";
import type { Device } from "../protocol/wideKernels.ts";
import { freePorts } from "./freePorts.ts";

/** A participant of a simulated federation: its keys and the files a real one would have. */
export interface SimulatedParticipant {
  readonly name: string;
  readonly keys: ParticipantKeys;
  readonly folder: string;
  readonly configFile: string;
}

export interface SimulatedMember extends SimulatedParticipant {
  readonly shard: Dataset;
}

export interface SimulatedValidator extends SimulatedParticipant {
  /** Where its store listens. */
  readonly storeAddress: string;
  /** What it alone scores on, where scoring is attested. */
  readonly heldOut?: Dataset;
}

export interface FederationFiles {
  readonly folder: string;
  readonly swarmKeyFile: string;
  readonly deploymentFile: string;
  /** Store of the sponsor, who publishes recipe, held-out set and initial model. */
  readonly sponsorAddress: string;
  readonly members: readonly SimulatedMember[];
  readonly validators: readonly SimulatedValidator[];
  readonly auditor: ParticipantKeys;
}

/**
 * Keys and folders of all participants. Keys follow from the seed, so that a run can be repeated; they are worth nothing outside a
 * development chain.
 */
export async function layOutFederation(options: {
  folder: string;
  seed: string;
  shards: readonly Dataset[];
  validators: number;
  /** Private held-out sets by validator, where scoring is attested. */
  heldOut?: readonly Dataset[];
  accounts: readonly DevelopmentAccount[];
}): Promise<FederationFiles> {
  const folder = resolve(options.folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const swarmKeyFile = join(folder, "swarm.key");
  await writeFile(swarmKeyFile, `/key/swarm/psk/1.0.0/\n/base16/\n${randomBytes(32).toString("hex")}\n`, {
    mode: 0o600,
  });
  const [sponsorPort, ...ports] = await freePorts(options.validators + 1);
  const keysOf = (role: string, index: number, account: DevelopmentAccount): ParticipantKeys => {
    const derive = (what: string) => sha256(utf8(`foedus demo ${options.seed} ${role} ${index} ${what}`));
    return new ParticipantKeys({
      signerPrivateKey: account.privateKey,
      encryptionPrivateKey: derive("encryption"),
      beaconSecret: derive("beacon"),
    });
  };
  const place = (role: string, index: number) => {
    const name = `${role}-${index + 1}`;
    return {
      name,
      folder: join(folder, name),
      configFile: join(folder, name, `${role === "member" ? "node" : role}.yaml`),
    };
  };
  // Account 0 is the admin and sponsor, 1 the auditor.
  const account = (index: number): DevelopmentAccount => options.accounts[index] as DevelopmentAccount;
  const members = options.shards.map(
    (shard, i): SimulatedMember => ({ ...place("member", i), shard, keys: keysOf("member", i, account(2 + i)) }),
  );
  const validators = ports.map(
    (port, i): SimulatedValidator => ({
      ...place("validator", i),
      keys: keysOf("validator", i, account(2 + members.length + i)),
      storeAddress: `/ip4/127.0.0.1/tcp/${port}`,
      ...(options.heldOut === undefined ? {} : { heldOut: options.heldOut[i] as Dataset }),
    }),
  );
  return {
    folder,
    swarmKeyFile,
    deploymentFile: join(folder, "deployment.json"),
    sponsorAddress: `/ip4/127.0.0.1/tcp/${sponsorPort}`,
    members,
    validators,
    auditor: keysOf("auditor", 0, account(1)),
  };
}

export interface ParticipantOptions {
  /** Where validators aggregate. */
  readonly device?: Device;
  /** What members' machines can do, in their order; undefined where they do not say. */
  readonly speeds?: readonly (number | undefined)[];
}

/** Writes what each participant starts from: key file, passphrase, YAML, and a member's own data. */
export async function writeParticipantFiles(
  files: FederationFiles,
  run: bigint,
  rpcUrl: string,
  { device = "auto", speeds = [] }: ParticipantOptions = {},
): Promise<void> {
  const validatorAddresses = files.validators.map(({ storeAddress }) => storeAddress);
  const common = {
    rpc: rpcUrl,
    deployment: files.deploymentFile,
    keyFile: "key.json",
    passphrase: { file: "passphrase" },
    run: Number(run),
    state: "state",
    pollingMs: 50,
  };
  for (const [i, member] of files.members.entries()) {
    await writeKeys(member);
    await writeFile(join(member.folder, "shard.fds"), encodeDataset(member.shard), { mode: 0o600 });
    await writeYaml(member.configFile, {
      ...common,
      store: {
        kind: "helia",
        folder: "store",
        listen: [],
        peers: [files.sponsorAddress, ...validatorAddresses],
        swarmKeyFile: files.swarmKeyFile,
      },
      data: { kind: "dataset", file: "shard.fds" },
      engine: { kind: "onnxruntime-node" },
      seed: member.name,
      ...(speeds[i] === undefined ? {} : { resource: speeds[i] }),
    });
  }
  for (const validator of files.validators) {
    await writeKeys(validator);
    const { heldOut } = validator;
    if (heldOut !== undefined)
      await writeFile(join(validator.folder, "held-out.fds"), encodeDataset(heldOut), { mode: 0o600 });
    const others = validatorAddresses.filter((address) => address !== validator.storeAddress);
    await writeYaml(validator.configFile, {
      ...common,
      store: {
        kind: "helia",
        folder: "store",
        listen: [validator.storeAddress],
        peers: [files.sponsorAddress, ...others],
        swarmKeyFile: files.swarmKeyFile,
      },
      ...(heldOut === undefined ? {} : { heldOut: { kind: "dataset", file: "held-out.fds" } }),
      prover: { threads: 1 },
      aggregation: { device },
    });
  }
}

async function writeKeys(participant: SimulatedParticipant): Promise<void> {
  const passphrase = toHex(new Uint8Array(randomBytes(16)));
  await mkdir(participant.folder, { recursive: true, mode: 0o700 });
  await writeFile(join(participant.folder, "passphrase"), passphrase, { mode: 0o600 });
  await createKeyFile(join(participant.folder, "key.json"), passphrase, { keys: participant.keys, cost: "light" });
}

async function writeYaml(path: string, value: unknown): Promise<void> {
  await writeFile(path, stringify(value));
}
