// SPDX-License-Identifier: Apache-2.0
/** Child processes of two kinds: a captured step of the set-up, and the command the user asked for. */
import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, resolve, sep } from "node:path";
import { ROOT } from "./paths.mjs";

/** A step must not fill the memory with its output; the file has all of it. */
const KEPT_OUTPUT = 200_000;

/** The captured child at work, so that a signal can end it before this process goes. */
let current;

/**
 * PATH without the folders inside this repository. Under `npm run` the project's own `node_modules/.bin` stands first, and its
 * `node` is about to be replaced while npm runs.
 *
 * @param {...string} first folders to put in front
 */
export function pathOutsideProject(...first) {
  const rest = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "" && !`${resolve(folder)}${sep}`.startsWith(`${ROOT}${sep}`));
  return [...first, ...rest].join(delimiter);
}

/**
 * Run a step with its output captured.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, log: string, onLine?: (line: string) => void }} options `log`: the file
 *   that receives the whole output
 * @returns {Promise<{ code: number | null, output: string, log: string }>} `output`: its end, at most 200 000 characters;
 *   a command that cannot be started gives code 127 and the reason as output
 */
export function runCaptured(command, args, { cwd = ROOT, env = process.env, log, onLine }) {
  mkdirSync(dirname(log), { recursive: true });
  const file = createWriteStream(log);
  let output = "";
  let unfinished = "";
  const take = (chunk) => {
    file.write(chunk);
    output = (output + chunk).slice(-KEPT_OUTPUT);
    const lines = (unfinished + chunk).split(/\r?\n|\r/);
    unfinished = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") onLine?.(line.trim());
  };
  return new Promise((done) => {
    // npm is a .cmd file on Windows, which only a shell can start; the arguments are ours, none from outside.
    const shell = process.platform === "win32" && command === "npm";
    const child = spawn(command, args, { cwd, env, shell, stdio: ["ignore", "pipe", "pipe"] });
    current = child;
    let startError;
    child.on("error", (error) => {
      startError = error;
    });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", take);
    child.on("close", (code) => {
      current = undefined;
      if (startError !== undefined) take(`${startError.message}\n`);
      file.end(() => done({ code: startError === undefined ? code : 127, output, log }));
    });
  });
}

/**
 * End the captured child, first kindly, after five seconds by force, and wait for it: it must not go on writing after the
 * set-up's lock is released.
 */
export function endCaptured() {
  const child = current;
  if (child === undefined) return Promise.resolve();
  return new Promise((done) => {
    const force = setTimeout(() => child.kill("SIGKILL"), 5000);
    child.once("close", () => {
      clearTimeout(force);
      done();
    });
    child.kill("SIGTERM");
  });
}

/** The exit code by which a shell reports a signal: 130 for Ctrl-C. */
export function signalExitCode(signal) {
  return 128 + (constants.signals[signal] ?? 0);
}

/**
 * Run the user's command on this terminal and wait for it.
 *
 * A terminal sends Ctrl-C to the whole foreground group, so the child has it already and decides how to end; this process only
 * stays to hand on the exit code. Signals sent to this process alone are passed on.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>} the exit code, 128 + n for a child ended by signal n
 */
export function runForeground(command, args, { cwd, env = process.env } = {}) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { cwd, env, stdio: "inherit" });
    const stay = () => {};
    const passOn = (signal) => child.kill(signal);
    const onTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
    process.on("SIGINT", onTerminal ? stay : passOn);
    for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, passOn);
    child.on("error", failed);
    child.on("close", (code, signal) => done(code ?? signalExitCode(signal)));
  });
}
