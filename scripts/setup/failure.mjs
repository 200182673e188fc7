// SPDX-License-Identifier: Apache-2.0
/** A set-up that could not be completed, said in a sentence with the next step. */

export class SetupError extends Error {
  /**
   * @param {string} message what failed, with the values
   * @param {{ nextStep: string, log?: string, output?: string, cause?: unknown }} detail what the reader should do; the file
   *   with the whole output; the output's last lines
   */
  constructor(message, { nextStep, log, output, cause }) {
    super(message, { cause });
    this.name = "SetupError";
    this.nextStep = nextStep;
    this.log = log;
    this.output = output;
  }

  /** The text for a terminal. */
  report() {
    const lines = [this.message];
    if (this.output) lines.push("", ...lastLines(this.output, 15).map((line) => `    ${line}`), "");
    if (this.log) lines.push(`Whole output: ${this.log}`);
    lines.push(`Next step: ${this.nextStep}`);
    return lines.join("\n");
  }
}

/** @param {string} text @param {number} count @returns {string[]} the last `count` lines that say something */
export function lastLines(text, count) {
  return text
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .slice(-count);
}

/** What npm's output says went wrong, most specific first, and what helps. */
const NPM_CAUSES = [
  {
    pattern: /ENOSPC|no space left on device/i,
    means: "the disk is full",
    nextStep:
      "free about 2 GB on the disk that holds this folder (and npm's cache, `npm config get cache`), then run it again.",
  },
  {
    pattern: /\bE40[13]\b|\bENEEDAUTH\b/,
    means: "the registry refused access",
    nextStep: "check `npm config get registry` and its credentials, then run it again.",
  },
  {
    pattern: /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT|network/,
    means: "the package registry could not be reached",
    nextStep:
      "check the network, the proxy settings and `npm config get registry`, then run it again; what was fetched is kept.",
  },
  {
    pattern: /SELF_SIGNED_CERT|UNABLE_TO_(GET|VERIFY)_\w+|CERT_/,
    means: "the registry's certificate is not trusted here",
    nextStep:
      "point npm to your company's root certificate (`npm config set cafile …` or NODE_EXTRA_CA_CERTS), then run it again.",
  },
  {
    pattern: /EACCES|EPERM|EROFS/,
    means: "a folder cannot be written",
    nextStep: "make this folder and npm's cache writable for the current user, then run it again.",
  },
  {
    pattern: /EUSAGE|are in sync/,
    means: "package.json and package-lock.json differ",
    nextStep: "run `npm install`, then `node scripts/complete-lock.mjs`, and commit both files.",
  },
  {
    pattern: /EINTEGRITY/,
    means: "a package's bytes differ from the lock",
    nextStep:
      "run `npm cache verify` and try again; if it repeats, the registry serves altered packages and must not be used.",
  },
  {
    pattern: /\bE404\b|ETARGET/,
    means: "the registry lacks a package that the lock names",
    nextStep: "use a complete registry (`npm config get registry`), then run it again.",
  },
];

/**
 * @param {string} what the step, as the start of a sentence: "Installing the packages"
 * @param {{ code: number | null, output: string, log?: string }} result how npm ended
 * @returns {SetupError}
 */
export function npmFailure(what, { code, output, log }) {
  const cause = NPM_CAUSES.find(({ pattern }) => pattern.test(output));
  return new SetupError(`${what} failed: ${cause?.means ?? `npm ended with exit code ${code}`}.`, {
    nextStep: cause?.nextStep ?? "read the lines above, mend the cause, then run it again.",
    log,
    output,
  });
}
