// SPDX-License-Identifier: Apache-2.0
/** The npm packages, exactly as the lock says: `npm ci` on Node 24, skipped when `node_modules` already matches. */
import { existsSync, readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { pathOutsideProject, runCaptured } from "./child.mjs";
import { npmFailure, SetupError } from "./failure.mjs";
import { fingerprint, isStamped, removeStamp, writeStamp } from "./fingerprint.mjs";
import { ROOT, STATE } from "./paths.mjs";
import { ensureNpmOnNode24, findNode24 } from "./runtime.mjs";

/** npm writes this copy of the lock as the last act of an installation. */
const INSTALLED_LOCK = "node_modules/.package-lock.json";

/** Packages, npm's cache of them, contracts and keys; measured 1.7 GB. */
const NEEDED_BYTES = 2_000_000_000;

/** @returns {"glibc" | "musl" | undefined} undefined where the question makes no sense */
function libcHere() {
  if (process.platform !== "linux") return undefined;
  const { header } = process.report.getReport();
  return header.glibcVersionRuntime === undefined ? "musl" : "glibc";
}

/**
 * @param {{ os?: string[] | string, cpu?: string[] | string, libc?: string[] | string }} entry of the lock
 * @param {{ os: string, cpu: string, libc: string | undefined }} machine
 * @returns {boolean} whether the package is for this machine
 */
export function isWanted(entry, machine) {
  return ["os", "cpu", "libc"].every((key) => {
    const listed = [entry[key] ?? []].flat();
    if (listed.length === 0) return true;
    const refused = listed.filter((word) => word.startsWith("!")).map((word) => word.slice(1));
    const allowed = listed.filter((word) => !word.startsWith("!"));
    return !refused.includes(machine[key]) && (allowed.length === 0 || allowed.includes(machine[key]));
  });
}

const namesNoPlatform = (entry) => entry.os === undefined && entry.cpu === undefined && entry.libc === undefined;

/**
 * Lock paths of packages that this machine wants and that are absent or another version. Native parts that an older Node's npm
 * skipped in silence are among them. An optional package that names no platform may rightly be absent: it can belong to one
 * that is not for this machine.
 *
 * @param {{ packages: Record<string, any> }} lock what is wanted
 * @param {{ packages: Record<string, any> }} installed what npm says it put there
 * @param {{ os: string, cpu: string, libc: string | undefined }} machine
 * @returns {string[]}
 */
export function differences(lock, installed, machine) {
  return Object.entries(lock.packages)
    .filter(
      ([path, entry]) =>
        path !== "" && isWanted(entry, machine) && !(entry.optional === true && namesNoPlatform(entry)),
    )
    .filter(([path, entry]) => installed.packages[path]?.version !== entry.version)
    .map(([path]) => path);
}

const readJson = (file) => JSON.parse(readFileSync(join(ROOT, file), "utf8"));
const machineHere = () => ({ os: process.platform, cpu: process.arch, libc: libcHere() });

/** The lock, what npm says it installed, and the machine: all that the packages in `node_modules` depend on. */
function inputs() {
  return fingerprint(["package-lock.json", ".npmrc", INSTALLED_LOCK], [process.platform, process.arch]);
}

/** @returns {boolean} whether the packages are there. Cheap: called before each command. */
export function dependenciesReady() {
  return isStamped("dependencies", inputs()) && findNode24() !== undefined;
}

/** @returns {boolean} whether somebody else's `npm ci` or `npm install` already did the work */
function alreadyInstalled() {
  if (!existsSync(join(ROOT, INSTALLED_LOCK)) || findNode24() === undefined) return false;
  return differences(readJson("package-lock.json"), readJson(INSTALLED_LOCK), machineHere()).length === 0;
}

/**
 * @param {import("./progress.mjs").Progress} progress
 * @throws {SetupError}
 */
export async function ensureDependencies(progress) {
  if (dependenciesReady()) return;
  if (!alreadyInstalled()) await install(progress);
  writeStamp("dependencies", inputs(), [INSTALLED_LOCK]);
}

async function install(progress) {
  const free = statfsSync(ROOT).bavail * statfsSync(ROOT).bsize;
  if (!existsSync(join(ROOT, "node_modules")) && free < NEEDED_BYTES) {
    throw new SetupError(`The set-up needs about 2 GB of disk and ${(free / 1e9).toFixed(1)} GB are free at ${ROOT}.`, {
      nextStep: "free some space or clone to another disk, then run it again.",
    });
  }
  const npm = await ensureNpmOnNode24(progress);
  removeStamp("dependencies");
  const wanted = Object.entries(readJson("package-lock.json").packages).filter(
    ([path, entry]) => path !== "" && isWanted(entry, machineHere()),
  ).length;
  let fetched = 0;
  progress.start(`Installing ${wanted} packages`);
  const result = await runCaptured(
    npm.command,
    [...npm.args, "ci", "--loglevel=http", "--no-progress", "--no-audit", "--no-fund", "--no-update-notifier"],
    {
      env: {
        ...process.env,
        PATH: pathOutsideProject(npm.bin),
        // Its install script would fetch CUDA libraries from outside the registry, and fail the whole installation without.
        ONNXRUNTIME_NODE_INSTALL: "skip",
      },
      log: join(STATE, "setup", "dependencies.log"),
      onLine: (line) => {
        if (/^npm http fetch GET 200 .*\.tgz/.test(line)) fetched += 1;
        // Packages that npm's cache has are not fetched, so this is a lower bound; unpacking ends it.
        progress.note(`${Math.min(99, Math.floor((100 * fetched) / wanted))} %`);
      },
    },
  );
  if (result.code !== 0) throw npmFailure("Installing the packages", result);
  const missing = differences(readJson("package-lock.json"), readJson(INSTALLED_LOCK), machineHere());
  if (missing.length > 0) {
    throw new SetupError(
      `npm left out ${missing.length} packages that this machine needs: ${missing.slice(0, 5).join(", ")}.`,
      {
        nextStep: "check that `npm config get omit` is empty and that the registry carries them, then run it again.",
        log: result.log,
      },
    );
  }
  progress.done();
}
