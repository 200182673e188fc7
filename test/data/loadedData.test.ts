// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { splitByClient } from "../../src/data/loadedData.ts";
import { keyedRandom } from "../../src/protocol/random.ts";

describe("test samples of every client", () => {
  it("⌈share · n⌉ of each, at least one left for training; clients and samples stay together", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(4), { minLength: 1, maxLength: 60 }),
        fc.double({ min: 0.01, max: 0.9, noNaN: true }),
        (clients, share) => {
          const size = clients.length;
          const dataset = {
            features: Float32Array.from({ length: size }, (_, i) => i),
            labels: new Int32Array(size),
            inputs: 1,
            classes: 1,
            size,
          };
          const { train, test } = splitByClient({ dataset, clients }, share, keyedRandom("split"));
          for (const part of [train, test])
            assert.deepEqual(
              part.clients,
              [...part.dataset.features].map((i) => clients[i]),
            );
          const both = [...train.dataset.features, ...test.dataset.features];
          assert.deepEqual(
            both.sort((a, b) => a - b),
            [...clients.keys()],
          );
          for (const client of new Set(clients)) {
            const own = clients.filter((other) => other === client).length;
            const tested = test.clients?.filter((other) => other === client).length;
            assert.equal(tested, Math.min(Math.ceil(share * own), own - 1));
          }
        },
      ),
    );
  });
});
