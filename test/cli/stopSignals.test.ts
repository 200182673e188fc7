// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it, type TestContext } from "node:test";

const MODULE = new URL("../../src/cli/stopSignals.ts", import.meta.url).href;

/** A process that works until it is stopped, and then takes `leaveMs` to leave. */
async function working(t: TestContext, leaveMs: number) {
  const program = `
    import { setTimeout as pause } from "node:timers/promises";
    import { stopSignals, untilStopped } from ${JSON.stringify(MODULE)};
    using stop = stopSignals((signal) => console.log("stopping", signal));
    await untilStopped(stop, async () => {
      console.log("working");
      try { await pause(600_000, undefined, { signal: stop.signal }); } finally { await pause(${leaveMs}); console.log("left"); }
    });`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => void child.kill("SIGKILL"));
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  const says = async (text: string): Promise<void> => {
    while (!printed.includes(text)) await once(child.stdout, "data");
  };
  await says("working");
  return { child, says, ended: once(child, "close"), printed: () => printed };
}

describe("stopSignals", () => {
  it("lets work end in order after the first signal, and takes its ending for no error", async (t) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const { child, ended, printed } = await working(t, 0);
      child.kill(signal);
      assert.deepEqual(await ended, [0, null]);
      assert.equal(printed(), `working\nstopping ${signal}\nleft\n`);
    }
  });

  it("ends at once at the second", async (t) => {
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const) {
      const { child, says, ended, printed } = await working(t, 600_000);
      child.kill(signal);
      await says("stopping");
      child.kill(signal);
      assert.deepEqual(await ended, [code, null]);
      assert.doesNotMatch(printed(), /left/);
    }
  });
});
