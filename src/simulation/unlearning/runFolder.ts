// SPDX-License-Identifier: Apache-2.0
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EXIT, FoedusError } from "../../protocol/errors.ts";
import { readRecord, type Tensor, writeRecord } from "./recordFile.ts";
import { packSnapshot, type Snapshot, type SnapshotBody, unpackSnapshot } from "./snapshot.ts";

/** What a folder's records are of. */
export interface RunIdentity {
  /** keccak256 of configuration, seed and data. */
  readonly identity: string;
  /** Digest of the sources that run it. */
  readonly code: string;
  /** Members that the run is without, ascending. */
  readonly without: readonly number[];
}

/** One accepted upload as it is kept: what a rule decides from. */
export interface KeptUpload {
  readonly member: number;
  /** As every reader decodes it, grid units. */
  readonly decoded: Int32Array;
  readonly samples: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly clipFactor: number;
}

export interface StoredRoundBody {
  readonly round: number;
  readonly head: string;
  /** Members that trained. */
  readonly trained: readonly number[];
  readonly accepted: readonly number[];
  readonly refused: readonly { readonly id: number; readonly reason: string }[];
  readonly failed: string | null;
  /** (ε, δ) spent so far by a member that took part in every round; null without privacy of members. */
  readonly spent: { readonly epsilon: number; readonly delta: number } | null;
  readonly uploads: readonly Omit<KeptUpload, "decoded">[];
}

/** What makes a folder a run's. */
export const MANIFEST = "run.json";

/**
 * A run on disk: `run.json` (what it is), `round-00001` … (what each round did, with the model after it and the accepted uploads), `snapshot-00000` …
 * (the federation's whole memory). A run that is cut off goes on from the last snapshot up to which all rounds are there.
 */
export class RunFolder {
  readonly path: string;
  readonly #identity: string;

  private constructor(path: string, { identity, code, without }: RunIdentity) {
    this.path = path;
    this.#identity = `${identity} by ${code} without ${without.join(" ")}`;
  }

  /**
   * Opens the folder, or makes it.
   *
   * @throws FoedusError SNAPSHOT_FOREIGN when its records are of another configuration, seed, data, membership or version of the sources.
   */
  static async open(path: string, wanted: RunIdentity): Promise<RunFolder> {
    const found = await RunFolder.identityOf(path);
    if (found === undefined) {
      await mkdir(path, { recursive: true, mode: 0o700 });
      await writeFile(join(path, MANIFEST), `${JSON.stringify({ version: 1, ...wanted }, null, 1)}\n`);
    } else requireSame(path, found, wanted);
    return new RunFolder(path, wanted);
  }

  /** What a folder's records are of; undefined where there are none. @throws FoedusError SNAPSHOT_DAMAGED */
  static async identityOf(path: string): Promise<RunIdentity | undefined> {
    const file = join(path, MANIFEST);
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    try {
      const { identity, code, without } = JSON.parse(text) as RunIdentity;
      if (typeof identity === "string" && typeof code === "string" && Array.isArray(without))
        return { identity, code, without };
    } catch {
      // Said below.
    }
    throw new FoedusError("SNAPSHOT_DAMAGED", `${file} is damaged: run the command with --again, which trains anew.`, {
      values: { path: file },
    });
  }

  static async remove(path: string): Promise<void> {
    await rm(path, { recursive: true, force: true });
  }

  async writeSnapshot(snapshot: Snapshot): Promise<void> {
    await writeRecord(this.#file("snapshot", snapshot.round), "snapshot", this.#identity, packSnapshot(snapshot));
  }

  async snapshot(round: number): Promise<Snapshot> {
    return unpackSnapshot(await readRecord<SnapshotBody>(this.#file("snapshot", round), "snapshot", this.#identity));
  }

  /** Rounds with a snapshot, ascending. */
  snapshots(): Promise<number[]> {
    return this.#numbers("snapshot");
  }

  /** Rounds that are recorded, ascending. */
  rounds(): Promise<number[]> {
    return this.#numbers("round");
  }

  /** @param uploads accepted ones; none where single uploads do not exist. @param master the model after the round. */
  async writeRound(
    facts: Omit<StoredRoundBody, "uploads">,
    master: Float64Array,
    uploads: readonly KeptUpload[],
  ): Promise<void> {
    const tensors: Record<string, Tensor> = { master };
    for (const { member, decoded } of uploads) tensors[`upload ${member}`] = decoded;
    const body: StoredRoundBody = { ...facts, uploads: uploads.map(({ decoded: _, ...rest }) => rest) };
    await writeRecord(this.#file("round", facts.round), "round", this.#identity, { body, tensors });
  }

  async round(round: number): Promise<{ body: StoredRoundBody; master: Float64Array; uploads: readonly KeptUpload[] }> {
    const { body, tensors } = await readRecord<StoredRoundBody>(this.#file("round", round), "round", this.#identity);
    return {
      body,
      master: tensors["master"] as Float64Array,
      uploads: body.uploads.map((upload) => ({ ...upload, decoded: tensors[`upload ${upload.member}`] as Int32Array })),
    };
  }

  /** Bytes on disk. */
  async size(): Promise<number> {
    let bytes = 0;
    for (const name of await readdir(this.path)) bytes += (await stat(join(this.path, name))).size;
    return bytes;
  }

  #file(kind: string, round: number): string {
    return join(this.path, `${kind}-${String(round).padStart(5, "0")}`);
  }

  async #numbers(kind: string): Promise<number[]> {
    const pattern = new RegExp(`^${kind}-(\\d+)$`);
    return (await readdir(this.path))
      .flatMap((name) => pattern.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  }
}

function requireSame(path: string, found: RunIdentity, wanted: RunIdentity): void {
  const differs =
    found.identity !== wanted.identity
      ? "of another configuration, seed or data"
      : found.code !== wanted.code
        ? "by another version of the sources"
        : found.without.join() !== wanted.without.join()
          ? `of a run without members ${found.without.join(", ") || "(none)"}`
          : undefined;
  if (differs === undefined) return;
  throw new FoedusError(
    "SNAPSHOT_FOREIGN",
    `The records in ${path} were made ${differs}, and a replay from them would prove nothing. Name another --output, or train anew with --again.`,
    { exitCode: EXIT.usage, values: { path, found, wanted } },
  );
}
