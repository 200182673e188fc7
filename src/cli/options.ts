// SPDX-License-Identifier: Apache-2.0

/** Options that several commands take, with their checks. */

import { InvalidArgumentError, Option } from "commander";
import { DEVICES } from "../protocol/wideKernels.ts";
import { LOG_LEVELS } from "./logLevels.ts";

export function rpcOption(): Option {
  return new Option("--rpc <url>", "JSON-RPC endpoint of the chain").argParser(parseUrl);
}

export function deploymentOption(): Option {
  return new Option("--deployment <file>", "deployment file that scripts/deploy.ts wrote");
}

export function ledgerOption(): Option {
  return new Option("--ledger <address>", "address of the TrainingLedger, instead of a deployment file").conflicts(
    "deployment",
  );
}

export function runOption(): Option {
  return new Option("--run <id>", "the training run").argParser(parseRun);
}

export function keyOption(about: string): Option {
  return new Option("--key <file>", about);
}

export function passphraseFileOption(): Option {
  return new Option(
    "--passphrase-file <file>",
    "file whose first line is the passphrase (default: the variable FOEDUS_PASSPHRASE)",
  );
}

export function logOption(): Option {
  return new Option("--log <level>", "least level that is logged").choices(LOG_LEVELS);
}

export function deviceOption(): Option {
  return new Option("--device <device>", "what aggregates; all give the same bits").choices(DEVICES);
}

export function parseUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InvalidArgumentError("Write an http or https URL, e.g. http://127.0.0.1:8545.");
  }
  return text;
}

export function parseRun(text: string): bigint {
  if (!/^[1-9][0-9]{0,19}$/.test(text)) throw new InvalidArgumentError("Write the number of a run, e.g. 1.");
  return BigInt(text);
}

/** A whole number of at least `min`. */
export function integerAtLeast(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[0-9]{1,10}$/.test(text) || value < min)
      throw new InvalidArgumentError(`Write a whole number of at least ${min}.`);
    return value;
  };
}

export function parseWord(text: string): `0x${string}` {
  if (!/^0x[0-9a-fA-F]{64}$/.test(text)) throw new InvalidArgumentError("Write 0x and 64 hexadecimal digits.");
  return text.toLowerCase() as `0x${string}`;
}
