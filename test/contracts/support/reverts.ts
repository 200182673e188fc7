// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { Interface } from "ethers";
import type { World } from "./world.ts";

/** Custom errors of all contracts, so that a revert is read whichever contract raised it. */
function errorsOf(world: World): Interface {
  const fragments = [world.consortium, world.ledger, world.proof, world.rewards, world.token].flatMap(
    ({ interface: abi }) => abi.fragments.filter(({ type }) => type === "error"),
  );
  return new Interface([...fragments, "error OwnableUnauthorizedAccount(address account)"]);
}

/** Asserts that a call reverts with a custom error, and with these of its values. */
export async function reverts(
  world: World,
  call: Promise<unknown> | (() => Promise<unknown>),
  error: string,
  values: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  try {
    await (typeof call === "function" ? call() : call);
  } catch (cause) {
    const data = revertData(cause);
    if (data === undefined) throw cause;
    const parsed = errorsOf(world).parseError(data);
    if (parsed === null) throw cause;
    const got = `${parsed.name}(${parsed.args.map(String).join(", ")})`;
    assert.equal(parsed.name, error, `reverted with ${got}`);
    for (const [name, value] of Object.entries(values)) {
      assert.equal(String(parsed.args.getValue(name)), String(value), `${name} in ${got}`);
    }
    return;
  }
  assert.fail(`expected a revert with ${error}`);
}

/** The revert data inside an error of the provider, wherever the layers have put it. */
function revertData(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at !== null && typeof at === "object" && depth < 6; depth++) {
    const { data, cause, error: inner } = at as { data?: unknown; cause?: unknown; error?: unknown };
    if (typeof data === "string" && data.length >= 10) return data;
    if (data !== null && typeof data === "object" && typeof (data as { data?: unknown }).data === "string") {
      return (data as { data: string }).data;
    }
    at = cause ?? inner;
  }
  return undefined;
}
