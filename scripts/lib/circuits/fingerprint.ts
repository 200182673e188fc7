// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CircuitInstance } from "./instances.ts";
import { mainComponent } from "./instances.ts";

/** Packages whose version decides the bytes of a compiled circuit or its key. */
const TOOLS = ["circom2", "circomlib", "snarkjs", "wasmcurves"];

/** Folders whose files do: the circuits, and what makes keys of them. */
const SOURCES = ["circuits", "scripts/lib/circuits", "scripts/lib/developmentKey"];

/** SHA-256 over everything the compiled circuit and development key of `instance` depend on. */
export function circuitFingerprint(root: string, instance: CircuitInstance): string {
  const hash = createHash("sha256");
  const add = (label: string, content: string | Uint8Array): void => {
    hash.update(`${label}\n${content.length}\n`).update(content);
  };
  add("main", mainComponent(instance));
  for (const tool of TOOLS) {
    const { version } = JSON.parse(readFileSync(join(root, "node_modules", tool, "package.json"), "utf8")) as {
      version: string;
    };
    add(`tool ${tool}`, version);
  }
  for (const folder of SOURCES) {
    const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).filter((file) =>
      /\.(circom|ts)$/.test(file),
    );
    for (const file of files.map((name) => name.replaceAll("\\", "/")).toSorted())
      add(`file ${folder}/${file}`, readFileSync(join(root, folder, file)));
  }
  return hash.digest("hex");
}
