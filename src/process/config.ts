// SPDX-License-Identifier: Apache-2.0
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { ConfigError } from "../protocol/errors.ts";
import { storeConfigSchema } from "../storage/storeConfig.ts";

/** What to write at each place of a configuration, by dotted path: the end of an error's sentence, and the list of known options. */
export type Hints = Readonly<Record<string, string>>;

/** Options that nodes and validators have alike. Paths in files are relative to the file. */
export const participantOptions = {
  /** JSON-RPC endpoint of the participant's own chain node. */
  rpc: z.url({ protocol: /^https?$/ }),
  /** File that scripts/deploy.ts wrote: chain id and contracts. */
  deployment: z.string().min(1),
  /** Encrypted key file (`foedus keys create`). */
  keyFile: z.string().min(1),
  /** Where the key file's passphrase is: an environment variable, or the first line of a file. Never the passphrase itself. */
  passphrase: z
    .strictObject({ env: z.string().min(1).default("FOEDUS_PASSPHRASE"), file: z.string().min(1).optional() })
    .prefault({}),
  run: z.union([z.int().min(1), z.string().regex(/^[1-9][0-9]{0,19}$/)]).transform((id) => BigInt(id)),
  /** Folder for what must survive a restart. One process at a time. */
  state: z.string().min(1),
  store: storeConfigSchema,
  /** Blocks that must lie on top of a block before it counts; 0 on chains with immediate finality. */
  finalityDepth: z.int().min(0).max(1_000).default(0),
  /** Milliseconds between questions for a new block. Left out: 50, right for the quick chains of development. */
  pollingMs: z.int().min(10).max(60_000).optional(),
  /** Status pages for people and Prometheus. Left out: none. */
  http: z.strictObject({ host: z.string().min(1).default("127.0.0.1"), port: z.int().min(0).max(65_535) }).optional(),
  log: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
};

export const participantHints: Hints = {
  rpc: "write the JSON-RPC endpoint of your chain node, e.g. rpc: http://127.0.0.1:8545",
  deployment: "write the path of the deployment file that the admin gave you, e.g. deployment: deployment.json",
  keyFile: "make one with `foedus keys create` and write its path, e.g. keyFile: keys.json",
  passphrase: "write the name of an environment variable or of a file, e.g. passphrase: { file: passphrase.txt }",
  "passphrase.env": "write the name of an environment variable, not the passphrase",
  "passphrase.file": "write the path of a file whose first line is the passphrase",
  run: "write the run's number as `openRun` gave it, e.g. run: 1",
  state: "write a folder of this process alone, e.g. state: state",
  store: "write e.g. store: { kind: helia, folder: store, peers: [/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…] }",
  "store.kind": "write helia; gateway only reads, and memory forgets everything at the end",
  "store.folder": "write the folder of the store, e.g. folder: store",
  "store.listen": "write multiaddrs, e.g. listen: [/ip4/0.0.0.0/tcp/4001]",
  "store.peers": "write multiaddrs that end in /p2p/…, as the peers' logs show them",
  "store.swarmKeyFile": "write the path of the consortium's swarm key",
  "store.allowPeers": "write peer ids, e.g. allowPeers: [12D3Koo…]",
  finalityDepth: "write a number of blocks, 0 for a chain with immediate finality",
  pollingMs: "write milliseconds between 10 and 60000",
  http: "write e.g. http: { port: 8600 }, or leave it out",
  "http.host": "write the address to listen on; the pages have no login, so keep 127.0.0.1 unless a proxy guards them",
  "http.port": "write a port from 1 to 65535, or 0 for any free one",
  log: "write debug, info, warn, error or silent",
};

/**
 * A checked configuration.
 *
 * @param value what the YAML says
 * @param file where it is from, for messages
 * @throws ConfigError with one sentence for each thing that is wrong: file, place, what is wrong, what to write.
 */
export function parseConfig<T extends z.ZodType>(schema: T, hints: Hints, value: unknown, file: string): z.output<T> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ConfigError(`${file}: this is no configuration; write one option per line, e.g. "run: 1".`, { file });
  }
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const sentences = parsed.error.issues.map((issue) => sentenceOf(issue, hints));
  throw new ConfigError(sentences.map((sentence) => `${file}: ${sentence}`).join("\n"), {
    file,
    paths: parsed.error.issues.map(({ path }) => path.join(".")),
  });
}

function sentenceOf(issue: z.core.$ZodIssue, hints: Hints): string {
  // Places within a list share the list's hint.
  const path = issue.path.filter((part) => typeof part !== "number").join(".");
  if (issue.code === "unrecognized_keys") {
    const unknown = issue.keys.map((key) => `"${path === "" ? key : `${path}.${key}`}"`).join(", ");
    return `${unknown} is unknown; known ${path === "" ? "here" : `in "${path}"`} are ${knownBelow(path, hints).join(", ")}.`;
  }
  const hint = hintFor(path, hints);
  const end = hint === undefined ? "." : `; ${hint}.`;
  const missing = issue.input === undefined && issue.code !== "invalid_value";
  // A union without its discriminator is reported at the discriminator; with `input` left out it is missing all the same.
  return missing ? `"${path}" is missing${end}` : `"${path}" is not valid (${firstSmall(issue.message)})${end}`;
}

function hintFor(path: string, hints: Hints): string | undefined {
  for (let at = path; ; at = at.slice(0, at.lastIndexOf("."))) {
    const hint = hints[at];
    if (hint !== undefined || !at.includes(".")) return hint;
  }
}

function knownBelow(path: string, hints: Hints): string[] {
  const prefix = path === "" ? "" : `${path}.`;
  return Object.keys(hints).filter((key) => key.startsWith(prefix) && !key.slice(prefix.length).includes("."));
}

function firstSmall(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, "");
}

interface ParticipantPaths {
  readonly deployment: string;
  readonly keyFile: string;
  readonly state: string;
  readonly passphrase: { readonly env: string; readonly file?: string | undefined };
  readonly store: z.output<typeof storeConfigSchema>;
}

/** The options with every path made absolute, starting at the file's folder. */
export function resolveParticipantPaths<T extends ParticipantPaths>(config: T, file: string): T {
  const at = (path: string): string => resolve(dirname(file), path);
  const { passphrase, store } = config;
  return {
    ...config,
    deployment: at(config.deployment),
    keyFile: at(config.keyFile),
    state: at(config.state),
    passphrase: passphrase.file === undefined ? passphrase : { ...passphrase, file: at(passphrase.file) },
    store:
      store.kind !== "helia"
        ? store
        : {
            ...store,
            ...(store.folder === undefined ? {} : { folder: at(store.folder) }),
            ...(store.swarmKeyFile === undefined ? {} : { swarmKeyFile: at(store.swarmKeyFile) }),
          },
  };
}
