// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkLayers } from "../../scripts/checks/layers.ts";

/** The messages for one file that imports `specifier`, beside the files it may lead to. */
const judge = (path: string, specifier: string, form = `import { x } from "${specifier}";`): string[] =>
  checkLayers([{ path, text: form }]).map(({ message }) => message);

const refused = (path: string, specifier: string, reason: RegExp): void => {
  const messages = judge(path, specifier);
  assert.equal(messages.length, 1, `${path} imports ${specifier}: ${messages.join("; ") || "nothing said"}`);
  assert.match(messages[0] ?? "", reason);
};
const accepted = (path: string, specifier: string): void => assert.deepEqual(judge(path, specifier), []);

describe("imports point down", () => {
  it("accepts the same folder and lower rows", () => {
    accepted("src/update/clip.ts", "./blocks.ts");
    accepted("src/update/clip.ts", "../protocol/grid.ts");
    accepted("src/validator/round/aggregateUpdates.ts", "../../aggregation/byzFed.ts");
    accepted("src/cli/audit.ts", "../audit/replayRound.ts");
    accepted("test/cli/audit.test.ts", "../../src/cli/audit.ts");
  });
  it("upward", () => {
    refused("src/protocol/grid.ts", "../update/clip.ts", /src\/protocol imports upward from src\/update/);
    refused("src/chain/ledger.ts", "../node/runRound.ts", /upward/);
    refused("src/audit/replayRound.ts", "../cli/audit.ts", /upward/);
    refused("src/cli/demo.ts", "../../scripts/deploy.ts", /upward/);
    refused("src/node/runRound.ts", "../../test/fixtures/x.ts", /upward/);
  });
  it("upward, for a type only: the arrow is the same", () => {
    assert.match(
      judge("src/protocol/grid.ts", "", 'import type { Clip } from "../update/clip.ts";').join(),
      /imports upward/,
    );
  });
  it("between neighbours", () => {
    refused("src/update/clip.ts", "../learning/model.ts", /neighbour src\/learning/);
    refused("src/node/runRound.ts", "../validator/runRound.ts", /neighbour src\/validator/);
    refused("src/audit/replayRound.ts", "../validator/runRound.ts", /neighbour/);
  });
  it("by a worker's address", () => {
    const form = 'new Worker(new URL("../validator/prove.worker.ts", import.meta.url));';
    assert.match(judge("src/node/a.ts", "", form).join(), /neighbour/);
  });
  it("from or into a folder without a row", () => {
    refused("src/node/runRound.ts", "../misc/x.ts", /lies in no layer/);
    assert.match(judge("src/misc/x.ts", "node:path").join(), /lies in no layer/);
  });
});

describe("contracts", () => {
  it("accepts interfaces over types, topics over libraries, one topic over another", () => {
    accepted("contracts/interfaces/IRounds.sol", "../types/RoundId.sol");
    accepted("contracts/rounds/TrainingLedger.sol", "../libraries/Round.sol");
    accepted("contracts/attestation/ProofOfTraining.sol", "../rounds/TrainingLedger.sol");
    accepted("contracts/rounds/TrainingLedger.sol", "@openzeppelin/contracts/utils/Nonces.sol");
  });
  it("upward", () => {
    refused("contracts/types/RoundId.sol", "../interfaces/IRounds.sol", /upward/);
    refused("contracts/libraries/Round.sol", "../rounds/TrainingLedger.sol", /upward/);
    refused("contracts/rewards/ShapleyRewards.sol", "../mocks/Token.sol", /upward/);
  });
});

describe("each outside library has one door", () => {
  it("through the door", () => {
    accepted("src/chain/client.ts", "ethers");
    accepted("scripts/deploy.ts", "ethers");
    accepted("src/storage/heliaStore.ts", "@libp2p/tcp");
    accepted("src/storage/contentId.ts", "multiformats/cid");
    accepted("src/learning/engines/agreed.ts", "onnxruntime-web");
    accepted("src/protocol/hash.ts", "@noble/hashes/sha3.js");
    accepted("test/chain/client.test.ts", "ethers");
    accepted("hardhat.config.ts", "@nomicfoundation/hardhat-ethers");
  });
  it("past it", () => {
    refused("src/node/runRound.ts", "ethers", /ethers, whose door is src\/chain/);
    refused("src/update/artifact.ts", "multiformats/cid", /multiformats, whose door is src\/storage/);
    refused("src/aggregation/mean.ts", "onnxruntime-node", /whose door is src\/learning/);
    refused("src/validator/round/prove.ts", "snarkjs", /whose door is src\/proving/);
    refused("src/protocol/merkle.ts", "@noble/hashes/sha3.js", /whose door is src\/protocol\/hash.ts/);
    refused("src/validator/runRound.ts", "pino", /whose door is src\/cli/);
  });
  it("a library without a door", () => {
    refused("src/node/runRound.ts", "left-pad", /left-pad, which has no door yet/);
  });
});

describe("pure folders", () => {
  it("may compute with Node's own modules", () => {
    accepted("src/update/payload.ts", "node:zlib");
    accepted("src/data/readCsv.ts", "node:fs/promises");
  });
  it("reach no disk, network or process", () => {
    refused("src/protocol/grid.ts", "node:fs", /pure/);
    refused("src/incentives/shapley.ts", "node:fs/promises", /pure/);
    refused("src/update/clip.ts", "child_process", /pure/);
    refused("src/aggregation/mean.ts", "node:net", /pure/);
  });
});

describe("cycles", () => {
  const file = (name: string, text: string) => ({ path: `src/update/${name}.ts`, text });
  it("by a detour", () => {
    const [violation, ...others] = checkLayers([
      file("a", 'import "./b.ts";'),
      file("b", '\nimport { c } from "./c.ts";'),
      file("c", 'export { a } from "./a.ts";'),
    ]);
    assert.deepEqual(others, []);
    assert.equal(violation?.path, "src/update/c.ts");
    assert.match(violation?.message ?? "", /a\.ts → src\/update\/b\.ts → src\/update\/c\.ts → src\/update\/a\.ts/);
  });
  it("of types only are none: nothing of them exists at run time", () => {
    assert.deepEqual(checkLayers([file("a", 'import "./b.ts";'), file("b", 'import type { A } from "./a.ts";')]), []);
  });
  it("a diamond is none", () => {
    const files = [file("a", 'import "./b.ts"; import "./c.ts";'), file("b", 'import "./d.ts";')];
    assert.deepEqual(checkLayers([...files, file("c", 'import "./d.ts";'), file("d", "")]), []);
  });
});
