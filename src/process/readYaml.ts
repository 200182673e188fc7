// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { parseDocument } from "yaml";
import { ConfigError } from "../protocol/errors.ts";

/**
 * The value of a YAML file. YAML 1.2: `no` is a text, and a key that is there twice is an error.
 *
 * @param how how to get such a file, for the message when there is none
 * @throws ConfigError with the line of the first fault.
 */
export async function readYaml(path: string, how: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : `cannot be read (${messageOf(cause)})`;
    throw new ConfigError(`${path} ${why}; ${how}.`, { path }, cause);
  }
  const document = parseDocument(text, { prettyErrors: true });
  const [fault] = document.errors;
  if (fault === undefined) return document.toJS() as unknown;
  const line = fault.linePos?.[0].line;
  const message = fault.message.split("\n", 1)[0]?.replace(/ at line .*$/, "");
  throw new ConfigError(
    `${path}${line === undefined ? "" : `, line ${line}`}: this is not YAML: ${message}.`,
    { path, line },
    fault,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
