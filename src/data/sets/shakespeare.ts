// SPDX-License-Identifier: Apache-2.0

/** Shakespeare by speaking role: the next character after a window of text. Roles are the natural clients, as in LEAF. */

import { z } from "zod";
import { type DataSet, fileOptions, sampleOptions, testShare } from "../dataSet.ts";
import { DataError } from "../errors.ts";
import type { Part } from "../loadedData.ts";

const schema = z.strictObject({
  name: z.literal("shakespeare"),
  ...fileOptions,
  ...sampleOptions,
  /** Characters before the one to predict. */
  length: z.int().min(1).max(512).default(80),
  /** Characters from one window to the next of a role. */
  stride: z.int().min(1).max(10_000).default(20),
  /** Roles that say less are left out. */
  minCharacters: z.int().min(1).max(1_000_000).default(2000),
  /** The end of every role's text, so that no test character was seen in training. */
  testShare: testShare.default(0.2),
});

const FILE = "roles.jsonl.gz";
const roleSchema = z.looseObject({ user: z.string(), turns: z.array(z.string()) });

/** 309 roles, 1 020 756 characters; 99 roles have at least 2 000. */
export const shakespeare: DataSet<typeof schema> = {
  schema,
  folder: "shakespeare",
  files: { [FILE]: "550be6b663367e5f3e4f135b66cfa5d4b5f1c943fe3225f1f700fdfd2128d2ea" },
  licence: "text in the public domain",
  citation: "Karpathy: tinyshakespeare, 2015; Caldas et al.: LEAF, arXiv:1812.01097",
  naturalClients: "speaking roles",
  async load({ name, length, stride, minCharacters, testShare }, folder) {
    const all = (await folder.readText(FILE))
      .split("\n")
      .filter((line) => line !== "")
      .map(parseRole);
    const alphabet = [...new Set(all.flatMap(({ text }) => [...text]))].sort((a, b) => (a < b ? -1 : 1));
    const ids = new Map(alphabet.map((character, id) => [character, id]));
    // Too short a role has no window on one of its sides.
    const shortest = Math.max(minCharacters, Math.ceil((length + 1) / Math.min(testShare, 1 - testShare)) + 1);
    const roles = all.filter(({ text }) => text.length >= shortest);
    if (roles.length === 0)
      throw new DataError(
        "CANNOT_DEAL",
        `${FILE} has no role of ${shortest} characters. Choose a smaller length or minimum.`,
        { shortest },
      );
    const windowsOf = (texts: readonly string[]): Part => {
      const starts = texts.flatMap((text, client) =>
        Array.from({ length: Math.ceil((text.length - length) / stride) }, (_, i) => ({ client, start: i * stride })),
      );
      const features = new Float32Array(starts.length * length);
      const labels = new Int32Array(starts.length);
      for (const [i, { client, start }] of starts.entries()) {
        const text = texts[client] as string;
        for (let k = 0; k < length; k++) features[i * length + k] = ids.get(text[start + k] as string) as number;
        labels[i] = ids.get(text[start + length] as string) as number;
      }
      return {
        dataset: { features, labels, inputs: length, classes: alphabet.length, size: starts.length },
        clients: starts.map(({ client }) => client),
      };
    };
    const cutAt = ({ text }: Role): number => Math.floor(text.length * (1 - testShare));
    return {
      name,
      kind: "tokens",
      shape: [length],
      classNames: alphabet,
      clientNames: roles.map(({ user }) => user),
      vocabulary: alphabet.length,
      train: windowsOf(roles.map((role) => role.text.slice(0, cutAt(role)))),
      test: windowsOf(roles.map((role) => role.text.slice(cutAt(role)))),
      notes: [
        `${length} characters, then the one to predict, every ${stride}; ${alphabet.length} characters by code unit; no padding.`,
        `The last ${testShare} of every role's text is the test part; roles of fewer than ${shortest} characters are left out.`,
      ],
    };
  },
};

interface Role {
  readonly user: string;
  readonly text: string;
}

function parseRole(line: string, index: number): Role {
  try {
    const { user, turns } = roleSchema.parse(JSON.parse(line));
    return { user, text: turns.join("\n") };
  } catch (cause) {
    throw new DataError(
      "BAD_ROW",
      `${FILE}, line ${index + 1} is not a role: JSON with user and turns.`,
      { line: index + 1 },
      cause,
    );
  }
}
