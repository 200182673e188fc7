#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/**
 * The start of every npm script: `node scripts/start.mjs <command> [arguments]`.
 *
 * Sets up whatever is missing (see setup/), then runs the command under Node 24 and ends with its exit code. Plain JavaScript
 * for Node 20 without dependencies, since on a fresh clone there is nothing else yet.
 */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { runForeground } from "./setup/child.mjs";
import { SetupError } from "./setup/failure.mjs";
import { filesBelow } from "./setup/fingerprint.mjs";
import { NODE_MAJOR, ROOT } from "./setup/paths.mjs";
import { findNode24 } from "./setup/runtime.mjs";
import { ensureSetup } from "./setup/setup.mjs";

/** Exit code for a wrong command line, as in the `foedus` command. */
const USAGE = 2;

/** Files of the suites. The slow ones are whole federations and many seeds. */
const isTest = (file) => file.endsWith(".test.ts");
const isSlow = (file) => file.startsWith("test/slow/");

/**
 * Arguments of `node` for a test run: the suite's files unless the caller named some, and the caller's own options.
 *
 * @param {(file: string) => boolean} inSuite
 * @param {number} timeoutMs for one test file
 * @param {string[]} args
 */
function testArguments(inSuite, { timeoutMs, concurrency }, args) {
  const named = args.filter((arg) => !arg.startsWith("-"));
  const files = named.length > 0 ? named : filesBelow("test").filter((file) => isTest(file) && inSuite(file));
  if (files.length === 0)
    throw new SetupError("There is no test in this suite.", { nextStep: "see the folder test/." });
  const reporter = args.some((arg) => arg.startsWith("--test-reporter"))
    ? []
    : ["--test-reporter=./scripts/testReporter.mjs", "--test-reporter-destination=stdout"];
  const options = args.filter((arg) => arg.startsWith("-"));
  // A machine-readable report besides, for continuous integration.
  const report = process.env.FOEDUS_TEST_REPORT;
  const tap = report ? ["--test-reporter=tap", `--test-reporter-destination=${report}`] : [];
  return [
    "--test",
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${timeoutMs}`,
    ...reporter,
    ...tap,
    ...options,
    ...files,
  ];
}

/** What each command runs. `generated`: whether it needs circuits, keys and contracts. */
const COMMANDS = {
  setup: { about: "set up everything and do no more", generated: true },
  demo: {
    about: "run a whole federation on this machine, then audit it",
    generated: true,
    node: (args) => ["src/cli/main.ts", "demo", ...args],
  },
  test: {
    about: "run the tests (files may be named)",
    generated: true,
    node: (args) => testArguments((file) => !isSlow(file), { timeoutMs: 600_000, concurrency: 2 }, args),
  },
  "test:slow": {
    about: "run the long tests",
    generated: true,
    // One at a time: each runs a federation that has deadlines and two cores' worth of work of its own.
    node: (args) => testArguments(isSlow, { timeoutMs: 1_800_000, concurrency: 1 }, args),
  },
  bench: {
    about: "measure (without a name: list the benches)",
    generated: true,
    // A garbage collection between two measurements is asked for, so that none falls into one.
    node: (args) => ["--expose-gc", "bench/main.ts", ...args],
  },
  lint: {
    about: "check style, layers and agreed code",
    generated: false,
    node: (args) => ["scripts/checks/main.ts", ...args],
  },
  format: {
    about: "format the sources and apply the linter's safe corrections",
    generated: false,
    node: (args) => ["node_modules/@biomejs/biome/bin/biome", "check", "--write", ...args],
  },
  types: {
    about: "check types",
    generated: false,
    node: (args) => ["node_modules/typescript/bin/tsc", "--noEmit", "-p", ".", ...args],
  },
};

/** A script beside this one, by its name: `npm start -- deploy` is scripts/deploy.ts. */
function scriptNamed(name) {
  const file = `scripts/${name}.ts`;
  if (!/^[A-Za-z][\w-]*$/.test(name) || !existsSync(join(ROOT, file))) return undefined;
  return { about: file, generated: true, node: (args) => [file, ...args] };
}

function usage() {
  const scripts = filesBelow("scripts")
    .map((file) => /^scripts\/([\w-]+)\.ts$/.exec(file)?.[1])
    .filter((name) => name !== undefined);
  const rows = Object.entries(COMMANDS).map(([name, { about }]) => `  ${name.padEnd(10)} ${about}`);
  return [
    "Usage: node scripts/start.mjs <command> [arguments]",
    "",
    ...rows,
    ...(scripts.length > 0 ? [`  ${scripts.join(", ")}: scripts/<name>.ts, each with --help`] : []),
  ].join("\n");
}

async function main([name, ...args]) {
  if (name === undefined || name === "--help" || name === "-h") {
    console.log(usage());
    return name === undefined ? USAGE : 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : scriptNamed(name);
  if (command === undefined) {
    console.error(`There is no command "${name}".\n\n${usage()}`);
    return USAGE;
  }
  const worked = await ensureSetup({ generated: command.generated });
  if (command.node === undefined) {
    if (!worked) console.error("✔ Everything is set up.");
    return 0;
  }
  const node = findNode24();
  if (node === undefined) throw new Error(`Node ${NODE_MAJOR} is missing after a complete set-up`);
  return runForeground(node, command.node(args), {
    cwd: ROOT,
    // So that what the command starts in turn finds this Node and the packages' programs.
    env: { ...process.env, PATH: [join(ROOT, "node_modules", ".bin"), process.env.PATH ?? ""].join(delimiter) },
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\n${error.report()}`);
  process.exitCode = 1;
}
