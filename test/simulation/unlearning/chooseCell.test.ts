// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chooseCell } from "../../../src/simulation/unlearning/chooseCell.ts";
import { TINY } from "./cell.ts";

const experiment = {
  name: "mine",
  title: "Mine",
  seeds: [4, 5],
  base: TINY,
  axes: { recipe: { fedavg: {}, fedprox: { client: { name: "fedprox" } } }, skew: { "α=1": { participation: 0.5 } } },
};

describe("the cell that is meant", () => {
  it("is the file itself, where that is a federation", () => {
    const { experiment: name, seed, config, labels } = chooseCell(TINY, "some/My cell.yaml", {});
    assert.deepEqual([name, seed, labels], ["my-cell", 1, {}]);
    assert.ok("members" in config && config.members === 6);
    assert.equal(chooseCell(TINY, "cell.yaml", { seed: 9 }).seed, 9);
  });

  it("is chosen along the axes that have a choice, with the experiment's first seed", () => {
    const cell = chooseCell(experiment, "mine.yaml", { choose: { recipe: "fedprox" } });
    assert.deepEqual([cell.experiment, cell.seed, cell.labels], ["mine", 4, { recipe: "fedprox", skew: "α=1" }]);
    assert.ok("client" in cell.config && cell.config.client?.name === "fedprox" && cell.config.participation === 0.5);
  });

  it("becomes an ensemble by --groups", () => {
    const { config, labels } = chooseCell(TINY, "cell.yaml", { groups: 2 });
    assert.ok("server" in config && config.server?.name === "flcert-d" && config.server.groups === 2);
    assert.deepEqual(labels, { groups: "2" });
  });

  it("is not guessed", () => {
    assert.throws(() => chooseCell(experiment, "mine.yaml", {}), {
      code: "BAD_CONFIG",
      message:
        "mine.yaml has 2 federations; say which with --choose recipe=…. There are recipe: fedavg, fedprox; skew: α=1.",
    });
    assert.throws(() => chooseCell(experiment, "mine.yaml", { choose: { rule: "mean" } }), /no axis "rule"/);
    assert.throws(() => chooseCell(experiment, "mine.yaml", { choose: { recipe: "mean" } }), /no choice "mean" along/);
    // Names that every object has are no choices.
    for (const choice of ["toString", "__proto__"])
      assert.throws(() => chooseCell(experiment, "mine.yaml", { choose: { recipe: choice } }), /no choice "/);
    assert.throws(
      () => chooseCell(experiment, "mine.yaml", { choose: { constructor: "name" } }),
      /no axis "constructor"/,
    );
    assert.throws(() => chooseCell({ ...TINY, members: 0 }, "cell.yaml", {}), /this is no federation/);
    const ensemble = { ...TINY, server: { name: "flcert-d", groups: 2 } };
    assert.throws(() => chooseCell(ensemble, "cell.yaml", { groups: 3 }), /does flcert-d already/);
  });
});
