// SPDX-License-Identifier: Apache-2.0
/**
 * Imports point down, each outside library has one door, pure folders touch nothing outside, and no file imports itself by a
 * detour. The tables below are the architecture; docs/architecture.md draws them.
 */
import { isBuiltin } from "node:module";
import { type Import, importsOf, resolveRelative, type SourceFile, type Violation } from "./source.ts";

/** From the bottom up. A folder imports from rows below its own and from itself; neighbours in a row meet in `protocol`. */
const ROWS: readonly (readonly string[])[] = [
  ["src/protocol"],
  // Special functions, small linear algebra, statistical tests.
  ["src/numerics"],
  [
    "src/chain",
    "src/storage",
    "src/proving",
    // The fast backends of the wide kernels: threads, WebAssembly, a GPU. The pure reference stays with aggregation.
    "src/kernels",
    "src/data",
    "src/learning",
    "src/update",
    "src/privacy",
    "src/aggregation",
    "src/incentives",
  ],
  // The parts of a round that node, validator and audit do alike, from chain and store.
  ["src/round"],
  // The parts of a process that nodes and validators have alike: configuration, opening, status pages.
  ["src/process"],
  ["src/node", "src/validator", "src/audit"],
  ["src/report"],
  ["src/simulation"],
  ["src/cli"],
  ["scripts"],
  ["bench"],
  ["test"],
];

/** In contracts only the direction matters: a contract of one topic may inherit from another's. */
const CONTRACT_ROWS: readonly (readonly string[])[] = [
  ["contracts/types"],
  ["contracts/interfaces"],
  ["contracts/libraries"],
  ["contracts/membership", "contracts/rounds", "contracts/attestation", "contracts/rewards", "contracts/verifiers"],
  ["contracts/mocks"],
];

/**
 * Who may import which package. Tests and benchmarks may import any, to compare with; so may configuration files.
 *
 * @remarks A package ending in `*` stands for all names with that beginning.
 */
const DOORS: readonly { readonly packages: readonly string[]; readonly doors: readonly string[] }[] = [
  { packages: ["ethers", "hardhat", "@nomicfoundation/*", "solc"], doors: ["src/chain/", "scripts/"] },
  { packages: ["onnxruntime-*", "@tensorflow/*"], doors: ["src/learning/"] },
  { packages: ["webgpu"], doors: ["src/kernels/gpu/"] },
  { packages: ["assemblyscript"], doors: ["scripts/"] },
  {
    packages: [
      "helia",
      "@helia/*",
      "multiformats",
      "@multiformats/*",
      "ipfs-*",
      "@ipld/*",
      "libp2p",
      "@libp2p/*",
      "@chainsafe/*",
      "interface-*",
      "blockstore-*",
      "kubo-rpc-client",
    ],
    doors: ["src/storage/"],
  },
  {
    packages: ["snarkjs", "circom2", "circomlib", "ffjavascript", "wasmcurves"],
    doors: ["src/proving/", "scripts/"],
  },
  { packages: ["poseidon-lite"], doors: ["src/protocol/poseidon.ts"] },
  { packages: ["@noble/hashes"], doors: ["src/protocol/hash.ts"] },
  { packages: ["pino"], doors: ["src/cli/"] },
  { packages: ["commander"], doors: ["src/cli/", "scripts/"] },
  { packages: ["yaml"], doors: ["src/process/", "src/simulation/", "src/cli/", "scripts/"] },
  { packages: ["express"], doors: ["src/process/", "src/node/", "src/validator/"] },
  // Not a service but a way of writing types: whoever reads a file or an answer from outside parses it on the spot.
  { packages: ["zod"], doors: ["src/", "scripts/"] },
];

/** Same bytes in, same bytes out: what an audit replays may not reach a disk, a network or a process. */
const PURE = ["src/protocol/", "src/update/", "src/aggregation/", "src/incentives/"];
const OUTSIDE_WORLD =
  /^(?:node:)?(?:fs|net|http|https|http2|tls|dgram|dns|child_process|cluster|readline|repl)(?:\/|$)/;

const ANYTHING_GOES = ["test/", "bench/"];

const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");

const names = (pattern: string, name: string): boolean =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name;

interface Place {
  readonly folder: string;
  readonly row: number;
}

function placeOf(path: string, rows: readonly (readonly string[])[]): Place | undefined {
  for (const [row, folders] of rows.entries()) {
    const folder = folders.find((candidate) => path.startsWith(`${candidate}/`));
    if (folder !== undefined) return { folder, row };
  }
  return undefined;
}

function judgeRelative(path: string, target: string, rows: readonly (readonly string[])[]): string | undefined {
  const from = placeOf(path, rows);
  const to = placeOf(target, rows);
  if (from === undefined) return undefined; // Reported once per file, or a file outside the layers.
  if (to === undefined) return `imports ${target}, which lies in no layer`;
  if (from.folder === to.folder || to.row < from.row) return undefined;
  if (to.row > from.row) return `${from.folder} imports upward from ${to.folder} (${target})`;
  if (rows === CONTRACT_ROWS) return undefined;
  return `${from.folder} imports its neighbour ${to.folder} (${target}); they meet in src/protocol`;
}

function judgePackage(path: string, specifier: string): string | undefined {
  if (isBuiltin(specifier)) {
    return PURE.some((folder) => path.startsWith(folder)) && OUTSIDE_WORLD.test(specifier)
      ? `imports ${specifier}: this folder is pure, its callers read and write`
      : undefined;
  }
  if (ANYTHING_GOES.some((folder) => path.startsWith(folder)) || !path.includes("/")) return undefined;
  const name = packageOf(specifier);
  const rule = DOORS.find(({ packages }) => packages.some((pattern) => names(pattern, name)));
  if (rule === undefined) return `imports ${name}, which has no door yet: give it one in scripts/checks/layers.ts`;
  return rule.doors.some((door) => path.startsWith(door))
    ? undefined
    : `imports ${name}, whose door is ${rule.doors.join(", ")}`;
}

function judgeImport(path: string, { specifier }: Import): string | undefined {
  if (path.endsWith(".sol")) {
    return specifier.startsWith(".") ? judgeRelative(path, resolveRelative(path, specifier), CONTRACT_ROWS) : undefined;
  }
  return specifier.startsWith(".")
    ? judgeRelative(path, resolveRelative(path, specifier), ROWS)
    : judgePackage(path, specifier);
}

/**
 * Cycles among imports that exist at run time: with one, which module runs first depends on who is imported first.
 *
 * @returns one violation per cycle, at the import that closes it
 */
function findCycles(graph: ReadonlyMap<string, readonly (Import & { target: string })[]>): Violation[] {
  const violations: Violation[] = [];
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    path.push(file);
    for (const { target, line } of graph.get(file) ?? []) {
      const entered = path.indexOf(target);
      if (entered !== -1) {
        violations.push({
          path: file,
          line,
          message: `closes a cycle: ${[...path.slice(entered), target].join(" → ")}`,
        });
      } else if (!finished.has(target)) visit(target);
    }
    path.pop();
    finished.add(file);
  };
  for (const file of graph.keys()) if (!finished.has(file)) visit(file);
  return violations;
}

/** @param files every TypeScript and Solidity source of the repository */
export function checkLayers(files: readonly SourceFile[]): Violation[] {
  const violations: Violation[] = [];
  const graph = new Map<string, (Import & { target: string })[]>();
  for (const file of files) {
    const { path } = file;
    const rows = path.endsWith(".sol") ? CONTRACT_ROWS : ROWS;
    const layered = path.startsWith("src/") || path.startsWith("contracts/");
    if (layered && placeOf(path, rows) === undefined) {
      violations.push({
        path,
        line: 1,
        message: "lies in no layer: give its folder a row in scripts/checks/layers.ts",
      });
    }
    const imports = importsOf(file);
    for (const found of imports) {
      const message = judgeImport(path, found);
      if (message !== undefined) violations.push({ path, line: found.line, message });
    }
    graph.set(
      path,
      imports
        .filter(({ specifier, typeOnly }) => specifier.startsWith(".") && !typeOnly)
        .map((found) => ({ ...found, target: resolveRelative(path, found.specifier) })),
    );
  }
  return [...violations, ...findCycles(graph)];
}
