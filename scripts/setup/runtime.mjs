// SPDX-License-Identifier: Apache-2.0
/**
 * Where Node 24 is. Our sources are TypeScript that Node 24 runs as it is, and npm under an older Node silently skips Hardhat's
 * native binding (its engines say >= 22), so an older machine first gets the npm package `node` *beside* the project, in
 * `.foedus/node24`, and the packages are installed with that.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, sep } from "node:path";
import { pathOutsideProject, runCaptured } from "./child.mjs";
import { npmFailure, SetupError } from "./failure.mjs";
import { NODE_MAJOR, ROOT, STATE } from "./paths.mjs";

const RUNTIME = join(STATE, "node24");

/**
 * The npm that goes with the Node beside the project. Debian's own npm lives off modules that only Debian's Node finds, so the
 * machine's npm is asked for this one step and no further.
 */
const NPM_VERSION = "11.19.1";

/** @param {string} version as in `process.version` @returns {number} */
const majorOf = (version) => Number(/^v?(\d+)\./.exec(version)?.[1] ?? 0);

/**
 * The binary that the npm package `node` put into a `node_modules` folder. Its install script does that, so the package can be
 * there without; on Windows it is `node.exe`, beside a `node` that is no program.
 *
 * @param {string} modules
 * @returns {string | undefined}
 */
function binaryIn(modules) {
  let version;
  try {
    ({ version } = JSON.parse(readFileSync(join(modules, "node", "package.json"), "utf8")));
  } catch {
    return undefined; // Not installed.
  }
  if (majorOf(version) < NODE_MAJOR) return undefined;
  return ["node.exe", "node"].map((name) => join(modules, "node", "bin", name)).find((file) => existsSync(file));
}

/** @param {string} file @returns {boolean} whether it is a program that says it is Node 24 or newer */
function isNode24(file) {
  const answer = spawnSync(file, ["--version"], { encoding: "utf8" });
  return answer.status === 0 && majorOf(answer.stdout) >= NODE_MAJOR;
}

/**
 * The Node to run our sources with: the pinned one from the packages; else the one beside the project; else the running one.
 *
 * @returns {string | undefined} undefined when none is recent enough, so the set-up has to come first
 */
export function findNode24() {
  return (
    binaryIn(join(ROOT, "node_modules")) ??
    binaryIn(join(RUNTIME, "node_modules")) ??
    (majorOf(process.version) >= NODE_MAJOR && existsSync(process.execPath) ? process.execPath : undefined)
  );
}

/**
 * A Node 24 that survives the removal of `node_modules`, and the npm to run with it; undefined when it must be installed.
 *
 * @returns {{ command: string, args: string[], bin: string } | undefined} `bin`: the folder of that `node`, for PATH
 */
function npmOutsideProject() {
  if (majorOf(process.version) >= NODE_MAJOR && !process.execPath.startsWith(`${ROOT}${sep}`)) {
    return { command: "npm", args: [], bin: dirname(process.execPath) };
  }
  const node = binaryIn(join(RUNTIME, "node_modules"));
  const npm = join(RUNTIME, "node_modules", "npm", "bin", "npm-cli.js");
  if (node !== undefined && existsSync(npm))
    return { command: node, args: [npm], bin: join(RUNTIME, "node_modules", ".bin") };
  // Under `npm run` the packages' own Node may be running this; the machine's Node can be recent all the same.
  for (const folder of pathOutsideProject().split(delimiter)) {
    const candidate = join(folder, process.platform === "win32" ? "node.exe" : "node");
    if (existsSync(candidate)) return isNode24(candidate) ? { command: "npm", args: [], bin: folder } : undefined;
  }
  return undefined;
}

/**
 * The npm to install the packages with, running on Node 24. Installs both beside the project where the machine's Node is older.
 *
 * @param {import("./progress.mjs").Progress} progress
 * @returns {Promise<{ command: string, args: string[], bin: string }>} command and its first arguments; the folder that must
 *   stand first in PATH, for the install scripts
 * @throws {SetupError}
 */
export async function ensureNpmOnNode24(progress) {
  const present = npmOutsideProject();
  if (present !== undefined) return present;

  const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const unfinished = `${RUNTIME}.unfinished`;
  progress.start(`Node ${dependencies.node} beside the project, since this machine has ${process.version}`);
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  writeFileSync(
    join(unfinished, "package.json"),
    JSON.stringify({
      name: "foedus-runtime",
      private: true,
      dependencies: { node: dependencies.node, npm: NPM_VERSION },
      allowScripts: { node: true },
    }),
  );
  const result = await runCaptured(
    "npm",
    ["install", "--no-audit", "--no-fund", "--no-update-notifier", "--no-package-lock"],
    {
      cwd: unfinished,
      env: { ...process.env, PATH: pathOutsideProject() },
      log: join(STATE, "setup", "node.log"),
    },
  );
  if (result.code === 127) {
    throw new SetupError("npm was not found on PATH.", {
      nextStep: "install npm (it comes with Node.js, https://nodejs.org), then run it again.",
      log: result.log,
    });
  }
  if (result.code !== 0) throw npmFailure(`Installing Node ${dependencies.node}`, result);
  const binary = binaryIn(join(unfinished, "node_modules"));
  if (binary === undefined || !isNode24(binary)) {
    throw new SetupError(`Node ${dependencies.node} was installed but does not run on this machine.`, {
      nextStep:
        `install Node ${NODE_MAJOR} or newer yourself (https://nodejs.org), then run it again; ` +
        "npm must also be allowed to run install scripts (`npm config get ignore-scripts` says false).",
      log: result.log,
      output: result.output,
    });
  }
  rmSync(RUNTIME, { recursive: true, force: true });
  renameSync(unfinished, RUNTIME);
  progress.done();
  const installed = npmOutsideProject();
  if (installed === undefined) throw new Error(`Node was installed into ${RUNTIME} and is not found there`);
  return installed;
}
