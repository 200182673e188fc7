// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { KERNELS_WASM } from "../../../src/kernels/cpu/wasmModule.ts";
import { codeDigest, digestOf, sourcesFrom } from "../../../src/simulation/laboratory/codeDigest.ts";
import { chainDigest } from "../../../src/simulation/onChain/chainDigest.ts";

test("the digest covers what runs a cell, and not what only shows it", () => {
  const paths = [...sourcesFrom("src/simulation/laboratory/cell.worker.ts").keys()].map((path) => relative(".", path));
  for (const needed of [
    "src/simulation/laboratory/simulateRound.ts",
    "src/simulation/attacks/minMax.ts",
    "src/aggregation/byzFed.ts",
    "src/learning/algorithms/scaffold.ts",
    "src/learning/onnx/tape.ts",
    "src/update/prepareUpdate.ts",
    "src/privacy/rdp.ts",
    "src/protocol/random.ts",
    "src/data/generators/mixture.ts",
    relative(".", fileURLToPath(KERNELS_WASM)),
  ])
    assert.ok(paths.includes(needed), needed);
  for (const other of ["src/simulation/laboratory/reportOf.ts", "src/cli/simulate.ts", "src/report/markup.ts"])
    assert.ok(!paths.includes(other), other);
  assert.match(codeDigest(), /^[0-9a-f]{16}$/);
  assert.notEqual(chainDigest(), codeDigest());
});

test("the digest changes with sources, threads, compiled kernels, contracts and the engine's version, and with nothing else", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "foedus-digest-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  const dependencies = { "onnxruntime-node": "1.2.3", zod: "1.0.0" };
  const files: Readonly<Record<string, string>> = {
    "src/entry.ts": [
      'import { a } from "./a.ts";',
      'import type { T } from "./types.ts";',
      'const WASM = new URL("../build/kernels.wasm", import.meta.url);',
      'new Worker(new URL("./thread.worker.ts", import.meta.url));',
    ].join("\n"),
    "src/a.ts": "export const a = 1;",
    "src/types.ts": "export type T = 1;",
    "src/thread.worker.ts": 'import "./a.ts";',
    "src/other.ts": "export const other = 1;",
    "build/kernels.wasm": "\u0000asm",
    "artifacts/rounds/Ledger.sol/Ledger.json": '{"bytecode":"0x00"}',
    "artifacts/notes.txt": "not compiled",
    "package.json": JSON.stringify({ dependencies }),
  };
  for (const [path, text] of Object.entries(files)) await write(path, text);
  const digest = (): string => digestOf(join(root, "src/entry.ts"), [join(root, "artifacts")], root);
  const before = digest();
  assert.equal(digest(), before);

  const withVersions = (versions: Record<string, string>): string =>
    JSON.stringify({ dependencies: { ...dependencies, ...versions } });
  const CHANGES: readonly (readonly [path: string, text: string, matters: boolean])[] = [
    ["src/a.ts", "export const a = 2;", true],
    ["src/thread.worker.ts", 'import "./a.ts"; // slower', true],
    ["build/kernels.wasm", "\u0000asm\u0001", true],
    ["artifacts/rounds/Ledger.sol/Ledger.json", '{"bytecode":"0x01"}', true],
    ["artifacts/rounds/Round.sol/Round.json", '{"bytecode":"0x"}', true],
    ["package.json", withVersions({ "onnxruntime-node": "1.2.4" }), true],
    ["package.json", withVersions({ zod: "2.0.0" }), false],
    ["src/types.ts", "export type T = 2;", false],
    ["src/other.ts", "export const other = 2;", false],
    ["artifacts/notes.txt", "compiled", false],
  ];
  for (const [path, text, matters] of CHANGES) {
    await write(path, text);
    assert.equal(digest() !== before, matters, `${path}: ${text}`);
    const original = files[path];
    if (original === undefined) await rm(join(root, path));
    else await write(path, original);
    assert.equal(digest(), before, path);
  }

  await rm(join(root, "build"), { recursive: true });
  assert.notEqual(digest(), before);
});
