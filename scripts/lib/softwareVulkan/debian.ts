// SPDX-License-Identifier: Apache-2.0
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { ConfigError } from "../../../src/protocol/errors.ts";

const run = promisify(execFile);
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Debian's package tools with a state of their own: no root needed, and the machine's own lists and packages stay as they are. */
export class DebianPackages {
  readonly #folder: string;
  readonly #release: string;
  readonly #options: readonly string[];

  private constructor(folder: string, release: string) {
    this.#folder = folder;
    this.#release = release;
    const option = (name: string, value: string): string[] => ["-o", `${name}=${value}`];
    this.#options = [
      ...option("Dir::Etc::sourcelist", join(folder, "sources.list")),
      ...option("Dir::Etc::sourceparts", "/dev/null"),
      ...option("Dir::State::lists", join(folder, "lists")),
      ...option("Dir::Cache", folder),
      ...option("Dir::Cache::archives", join(folder, "archives")),
      ...option("Acquire::Languages", "none"),
      ...option("APT::Sandbox::User", ""),
      ...option("Debug::NoLocking", "1"),
    ];
  }

  /**
   * Reads the lists of this Debian release, its security updates and its backports.
   *
   * @throws ConfigError on a machine that is not Debian
   */
  static async open(folder: string): Promise<DebianPackages> {
    const release = debianRelease();
    for (const name of ["lists/partial", "archives/partial"]) mkdirSync(join(folder, name), { recursive: true });
    const source = (site: string, suite: string): string => `deb [signed-by=${KEYRING}] ${site} ${suite} main\n`;
    writeFileSync(
      join(folder, "sources.list"),
      source("http://deb.debian.org/debian", release) +
        source("http://deb.debian.org/debian", `${release}-backports`) +
        source("http://deb.debian.org/debian-security", `${release}-security`),
    );
    const packages = new DebianPackages(folder, release);
    await packages.#apt("update");
    return packages;
  }

  /**
   * Unpacks packages and whatever they need that the machine has not, into `root`.
   *
   * @param from which lists are preferred
   */
  async unpack(names: readonly string[], root: string, from: "release" | "backports"): Promise<void> {
    const target = from === "backports" ? ["-t", `${this.#release}-backports`] : [];
    await this.#emptyArchives();
    await this.#apt("install", "--yes", "--download-only", "--no-install-recommends", ...target, ...names);
    await this.#unpackArchives(root);
  }

  /** Unpacks one package without what it needs. */
  async unpackAlone(name: string, root: string): Promise<void> {
    await this.#emptyArchives();
    await run("apt-get", [...this.#options, "download", name], { cwd: join(this.#folder, "archives") });
    await this.#unpackArchives(root);
  }

  async #apt(...args: string[]): Promise<void> {
    await run("apt-get", [...this.#options, "--quiet", ...args], { maxBuffer: 16_777_216 });
  }

  async #emptyArchives(): Promise<void> {
    for (const name of this.#archives()) rmSync(name);
  }

  async #unpackArchives(root: string): Promise<void> {
    mkdirSync(root, { recursive: true });
    for (const name of this.#archives()) await run("dpkg", ["-x", name, root]);
  }

  #archives(): string[] {
    const folder = join(this.#folder, "archives");
    return readdirSync(folder)
      .filter((name) => name.endsWith(".deb"))
      .map((name) => join(folder, name));
  }
}

function debianRelease(): string {
  let release = "";
  try {
    release = readFileSync("/etc/os-release", "utf8");
  } catch {
    // Not Linux, or a very small one: the same message.
  }
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1];
  if (!/^ID=debian$/m.test(release) || codename === undefined)
    throw new ConfigError(
      "Only on Debian can this script fetch a software Vulkan driver; elsewhere install Mesa's Vulkan drivers (lavapipe, 23.1 or later).",
    );
  return codename;
}
