// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { abiModule, CLIENT_CONTRACTS } from "../../scripts/lib/abiModule.ts";
import { readArtifact } from "../../src/chain/artifacts.ts";

describe("src/chain/abi.generated.ts", () => {
  it("is what the compiled contracts give (else run scripts/abi.ts)", async () => {
    const contracts = await Promise.all(
      CLIENT_CONTRACTS.map(async (name) => [name, (await readArtifact(name)).abi] as const),
    );
    const committed = await readFile(new URL("../../src/chain/abi.generated.ts", import.meta.url), "utf8");
    assert.equal(committed, abiModule(contracts));
  });

  it("does not depend on the order of a contract's functions, and leaves constructors out", () => {
    const view = { stateMutability: "view", inputs: [], outputs: [{ type: "uint256", name: "" }] };
    const abi = [
      { type: "function", name: "b", ...view },
      { type: "constructor", stateMutability: "nonpayable", inputs: [] },
      { type: "function", name: "a", ...view },
    ];
    const text = abiModule([["ISomeThing", abi]]);
    assert.equal(text, abiModule([["ISomeThing", abi.toReversed()]]));
    assert.match(
      text,
      /export const SOME_THING_ABI = \[\n {2}"function a\(\) view returns \(uint256\)",\n {2}"function b/,
    );
    assert.ok(!text.includes("constructor"));
  });
});
