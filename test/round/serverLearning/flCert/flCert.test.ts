// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { createOnnxNodeEngine } from "../../../../src/learning/engines/onnxNode.ts";
import { initialiseParameters } from "../../../../src/learning/layout.ts";
import type { LearningEngine, Model } from "../../../../src/learning/model.ts";
import { keyedRandom } from "../../../../src/protocol/random.ts";
import {
  certificateOf,
  certifiedAccuracy,
  certifiedMembers,
  disjointCertificate,
  sampledCertificate,
  untouchedShare,
  voteBounds,
} from "../../../../src/round/serverLearning/flCert/certificates.ts";
import { ensembleVotes } from "../../../../src/round/serverLearning/flCert/ensemble.ts";
import {
  balancedGroups,
  groupOf,
  groupsOf,
  hashedGroups,
  sampledGroups,
} from "../../../../src/round/serverLearning/flCert/groups.ts";
import { ensembleSchema } from "../../../../src/round/serverLearning/serverConfig.ts";
import { moved } from "../../../../src/round/serverLearning/vectors.ts";
import { CONFIG, clusters, honestUpdates, mean } from "../federation.ts";

const near = (actual: number, expected: number, tolerance = 5e-7): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} instead of ${expected}`);

describe("FLCert-D's certificate", () => {
  for (const [votes, label, members] of [
    [[7, 2, 1], 0, 2],
    [[2, 7, 1], 1, 2],
    [[3, 7], 1, 1],
    [[5, 5], 0, 0],
  ] as const)
    it(`of votes ${votes} is label ${label} against ${members} members`, () =>
      assert.deepEqual(disjointCertificate(votes), { label, members }));

  it("holds for every change of M* votes, and not always for M* + 1", () => {
    const smallest = fc.array(fc.nat(6), { minLength: 2, maxLength: 4 });
    fc.assert(
      fc.property(smallest, (votes) => {
        fc.pre(votes.some((count) => count > 0));
        const { label, members } = disjointCertificate(votes);
        /** The most harm m members do: move as many votes as they can to one rival. */
        const afterAttack = (m: number): number[] =>
          votes.map((_, rival) => {
            if (rival === label) return label;
            const turned = Math.min(m, votes[label] as number);
            const changed = votes.map((count, c) => count + (c === rival ? m : c === label ? -turned : 0));
            return disjointCertificate(changed).label;
          });
        assert.ok(afterAttack(members).every((predicted) => predicted === label));
        assert.ok(afterAttack(members + 1).some((predicted) => predicted !== label));
      }),
    );
  });
});

describe("FLCert-P's certificate", () => {
  it("knows the share of groups without any of m members: n = 100, k = 10", () => {
    near(untouchedShare(100, 4, 10), 0.651631);
    near(untouchedShare(100, 5, 10), 0.583752);
  });

  it("certifies 4 members from bounds .9 and .1 (threshold .6), and nothing from bounds that meet", () => {
    assert.equal(certifiedMembers(0.9, 0.1, 100, 10), 4);
    assert.equal(certifiedMembers(0.5, 0.5, 100, 10), -1);
  });

  it("bounds 480 and 15 of 500 votes by .922705 and .063863 at α = .001", () => {
    const { lower, upper } = voteBounds(480, 15, 500, 0.001 / 2);
    near(lower, 0.922705);
    near(upper, 0.063863);
  });

  it("composes them, and is more cautious for more bounds, fewer votes, larger groups", () => {
    const options = { members: 100, groupSize: 10, alpha: 0.001 };
    const votes = [480, 15, 5];
    const certified = sampledCertificate(votes, options);
    // threshold 1 − (.922705 − .063863)/2 = .570579: .583752 passes at m = 5, C(94,10)/C(100,10) = .522305 does not.
    assert.deepEqual(certified, { label: 0, members: 5 });
    const bounded = (bounds?: number): number => sampledCertificate([48, 2], { ...options, bounds }).members;
    assert.deepEqual([bounded(), bounded(2), bounded(10), bounded(1_000)], [3, 3, 2, 1]);
    assert.ok(sampledCertificate([48, 2], options).members < certified.members);
    assert.ok(sampledCertificate(votes, { ...options, groupSize: 20 }).members < certified.members);
    assert.equal(sampledCertificate([3, 2], options).members, -1);
  });

  it("never claims p̄ above 1 − p̲, and takes unanimous votes", () => {
    const { lower, upper } = voteBounds(50, 0, 50, 0.0005);
    assert.ok(lower > 0.8 && upper <= 1 - lower);
    assert.equal(voteBounds(0, 5, 5, 0.1).lower, 0);
  });
});

describe("FLCert's groups", () => {
  const members = Array.from({ length: 60 }, (_, i) => i);

  it("by hash: everybody in one group, which others' coming and going does not change", () => {
    const groups = hashedGroups(members, 5);
    assert.deepEqual(
      groups.flat().sort((a, b) => a - b),
      members,
    );
    for (const [g, group] of groups.entries()) assert.ok(group.every((member) => groupOf(member, 5) === g));
    assert.deepEqual(
      hashedGroups(members.slice(3), 5).map((group) => [...group]),
      groups.map((group) => group.filter((member) => member >= 3)),
    );
    assert.throws(() => hashedGroups([0, 1], 5), { code: "BAD_CONFIG" });
  });

  it("balanced: sizes differ by at most one", () => {
    const sizes = balancedGroups(members.slice(0, 18), 4, keyedRandom("groups")).map((group) => group.length);
    assert.deepEqual(
      sizes.toSorted((a, b) => a - b),
      [4, 4, 5, 5],
    );
  });

  it("are those that a config names, and so is the certificate", () => {
    const random = keyedRandom("groups");
    const byHash = ensembleSchema.parse({ name: "flcert-d" });
    const balanced = ensembleSchema.parse({ name: "flcert-d", assignment: "balanced" });
    const sampled = ensembleSchema.parse({ name: "flcert-p", groups: 4, groupSize: 3 });
    assert.deepEqual(groupsOf(byHash, members, random), hashedGroups(members, 5));
    assert.deepEqual(groupsOf(balanced, members, random), balancedGroups(members, 5, random));
    assert.deepEqual(groupsOf(sampled, members, random), sampledGroups(members, 4, 3, random));
    assert.deepEqual(certificateOf(byHash, [7, 2, 1], 60), { label: 0, members: 2 });
    const options = { members: 100, groupSize: 3, alpha: 1e-3 };
    assert.deepEqual(certificateOf(sampled, [480, 15, 5], 100), sampledCertificate([480, 15, 5], options));
  });

  it("sampled: distinct members in each group, and each member in about k/n of them", () => {
    const groups = sampledGroups(members, 400, 15, keyedRandom("groups"));
    assert.ok(groups.every((group) => new Set(group).size === 15));
    for (const member of members) {
      const share = groups.filter((group) => group.includes(member)).length / 400;
      near(share, 0.25, 4.5 * Math.sqrt((0.25 * 0.75) / 400));
    }
    assert.throws(() => sampledGroups([1], 3, 2, keyedRandom("groups")), { code: "BAD_CONFIG" });
  });
});

describe("FLCert's ensemble", () => {
  let engine: LearningEngine;
  let model: Model;
  before(async () => {
    engine = await createOnnxNodeEngine();
    model = await engine.load(CONFIG);
  });
  after(() => engine.dispose());

  it("outvotes a destroyed group, and certifies the rest", async () => {
    const start = initialiseParameters(CONFIG, keyedRandom("start"));
    const trained = async (group: readonly number[]): Promise<Float32Array> => {
      let parameters = start;
      for (let round = 0; round < 3; round++) {
        const updates = (await honestUpdates(model, parameters, 6)).filter(({ member }) => group.includes(member));
        parameters = moved(parameters, (await mean(updates)).delta);
      }
      return parameters;
    };
    const [one, other] = balancedGroups([0, 1, 2, 3, 4, 5], 3, keyedRandom("groups")) as [number[], number[]];
    const models = [await trained(one), await trained(other), start.map((w) => -w)];

    const fresh = clusters("fresh", 200);
    const predictors = models.map((parameters) => ({ model, parameters }));
    const votes = await ensembleVotes(predictors, fresh);
    assert.ok(votes.every((row) => row.reduce((sum, count) => sum + count, 0) === 3));
    const certificates = votes.map((row) => disjointCertificate(row));
    const accuracies = [0, 1, 2].map((m) => certifiedAccuracy(certificates, fresh.labels, m));
    assert.ok((accuracies[0] as number) > 0.9, `${accuracies}`);
    assert.ok((accuracies[1] as number) < (accuracies[0] as number));
    // One of three groups speaks against the others on some samples, and two malicious members could turn any sample.
    assert.equal(accuracies[2], 0);
  });
});
