// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { concatBytes, type Hex } from "../../src/protocol/bytes.ts";
import { ZERO_WORD } from "../../src/protocol/commitment.ts";
import { FIELD_ORDER } from "../../src/protocol/field.ts";
import { MASTER_LIMIT, MASTER_MIN, UPDATE_LIMIT } from "../../src/protocol/grid.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import { REFUSALS, type RefusalName } from "../../src/protocol/refusals.ts";
import { type ArtifactParts, decodeArtifact, encodeArtifact, maxArtifactBytes } from "../../src/update/artifact.ts";
import { blockForm, encodeBlocks } from "../../src/update/blocks.ts";
import { decodePayload, encodePayload } from "../../src/update/payload.ts";
import { sealContext } from "../../src/update/sealOpening.ts";
import { type ArtifactContext, verifyArtifact } from "../../src/update/verifyArtifact.ts";
import { compress } from "../../src/update/zstdFrame.ts";
import { valuesOf } from "../support/valuesOf.ts";
import {
  ARTIFACT,
  CODECS,
  CONTENT_KEY,
  commitTo,
  contextFor,
  LAYOUT,
  OPENING,
  PLACE,
  PRIVATE_KEYS,
  partsWith,
  sealFor,
  VALUES,
} from "./fixtures.ts";

const int16 = CODECS[0] as CodecConfig;
/** Digest of an entry of a privacy ledger. */
const ENTRY: Hex = `0x${"07".repeat(32)}`;

/** Verifies an artifact under a commit to its own bytes, so that only what was damaged can be the reason. */
function verdictOn(
  changes: Partial<ArtifactParts>,
  context: Partial<ArtifactContext> = {},
): ReturnType<typeof verifyArtifact> {
  const bytes = encodeArtifact(partsWith(changes));
  return verifyArtifact(bytes, commitTo(bytes), contextFor(context));
}

async function refused(verdict: ReturnType<typeof verifyArtifact>, name: RefusalName, reason?: RegExp): Promise<void> {
  const result = await verdict;
  assert.ok("code" in result, "accepted");
  assert.equal(
    result.name,
    name,
    JSON.stringify(result, (_, value) => (typeof value === "bigint" ? String(value) : value)),
  );
  assert.equal(result.code, REFUSALS[name].code);
  if (reason !== undefined) assert.match(String(result.values.reason), reason);
}

const payloadOf = (content: Uint8Array): Partial<ArtifactParts> => ({ payload: compress(content) });
const blocks = (): Uint8Array => encodeBlocks(VALUES, blockForm(2, 5));
const poke = (bytes: Uint8Array, at: number, ...replacement: number[]): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  copy.set(replacement, at);
  return copy;
};

describe("verifyArtifact accepts", () => {
  for (const codec of CODECS) {
    it(`an honest ${codec.name} artifact, for every recipient alike`, async () => {
      const bytes = encodeArtifact(partsWith({ codec: codec.name, payload: encodePayload(VALUES, codec) }));
      for (const [index, privateKey] of PRIVATE_KEYS.entries()) {
        const result = await verifyArtifact(
          bytes,
          commitTo(bytes),
          contextFor({ codec, recipient: { index, privateKey } }),
        );
        assert.ok("kind" in result && result.kind === "update");
        assert.deepEqual(
          await valuesOf(result),
          decodePayload(encodePayload(VALUES, codec), codec, LAYOUT.size).values,
        );
        assert.deepEqual(result.opening, OPENING);
        assert.deepEqual([result.memberId, result.samples, result.sealChecked], [5, 600, true]);
      }
    });
  }

  it("int16 values up to 32767 without loss", async () => {
    const result = await verifyArtifact(ARTIFACT, commitTo(ARTIFACT), contextFor());
    assert.ok("kind" in result && result.kind === "update");
    // The first block holds −40000, so its scale is 2 and odd values lose a unit toward zero.
    assert.deepEqual([...(await valuesOf(result))], [0, 0, 0, 300, -40_000, ...VALUES.subarray(5)]);
  });

  it("for an auditor without a key, who says that the seal was not opened", async () => {
    const { recipient: _, ...keyless } = contextFor();
    const result = await verifyArtifact(ARTIFACT, commitTo(ARTIFACT), keyless);
    assert.ok("kind" in result);
    assert.equal(result.sealChecked, false);
    assert.equal("opening" in result, false);
  });

  it("a closing artifact in a closing round: a loss and nothing else", async () => {
    const closing = encodeArtifact(partsWith({ kind: "closing", codec: undefined, payload: new Uint8Array(0) }));
    const result = await verifyArtifact(closing, commitTo(closing), contextFor({ closing: true }));
    assert.ok("kind" in result && result.kind === "closing");
    assert.deepEqual(result.opening, OPENING);
  });

  it("artifacts of a private run, which name an entry of their member's privacy ledger", async () => {
    const update = await verdictOn({ ledgerEntry: ENTRY }, { private: true });
    assert.ok("kind" in update && update.kind === "update");
    assert.deepEqual([...(await valuesOf(update))].slice(0, 5), [0, 0, 0, 300, -40_000]);
    const closing = await verdictOn(
      { ledgerEntry: ENTRY, kind: "closing", codec: undefined, payload: new Uint8Array(0) },
      { private: true, closing: true },
    );
    assert.ok("kind" in closing && closing.kind === "closing");
    const bytes = encodeArtifact(partsWith({ ledgerEntry: ENTRY }));
    assert.equal(bytes.length, ARTIFACT.length + 32);
    const { parsedSeal: _, ...decoded } = decodeArtifact(bytes);
    assert.deepEqual(decoded, partsWith({ ledgerEntry: ENTRY }));
    assert.equal("ledgerEntry" in decodeArtifact(ARTIFACT), false);
  });

  it("values at every bound exactly", async () => {
    const values = new Int32Array(LAYOUT.size);
    values[0] = 200;
    values[1] = -200;
    const master = new Float64Array(LAYOUT.size);
    master[0] = MASTER_LIMIT - 1 - 200 * 65_536;
    master[1] = MASTER_MIN + 200 * 65_536;
    const result = await verdictOn(
      { payload: encodePayload(values, int16) },
      { master, bounds: { maxCoordinate: 200, maxNormSq: 80_000n } },
    );
    assert.ok("kind" in result);
  });
});

describe("verifyArtifact refuses", () => {
  it("NOT_SERVED", () => refused(verifyArtifact(undefined, commitTo(ARTIFACT), contextFor()), "NOT_SERVED"));
  it("WRONG_DIGEST: one bit of the bytes", () =>
    refused(
      verifyArtifact(poke(ARTIFACT, 60, (ARTIFACT[60] as number) ^ 1), commitTo(ARTIFACT), contextFor()),
      "WRONG_DIGEST",
    ));
  it("WRONG_DIGEST: no bytes at all", () =>
    refused(verifyArtifact(new Uint8Array(0), commitTo(ARTIFACT), contextFor()), "WRONG_DIGEST"));

  describe("MALFORMED", () => {
    const malformed = (bytes: Uint8Array, reason: RegExp): Promise<void> =>
      refused(verifyArtifact(bytes, commitTo(bytes), contextFor()), "MALFORMED", reason);
    const payload = (content: Uint8Array, reason: RegExp): Promise<void> =>
      refused(verdictOn(payloadOf(content)), "MALFORMED", reason);

    it("truncated anywhere", async () => {
      for (let length = 0; length < ARTIFACT.length; length++) {
        const bytes = ARTIFACT.subarray(0, length);
        await refused(verifyArtifact(bytes, commitTo(bytes), contextFor()), "MALFORMED");
      }
    });
    it("a private artifact truncated anywhere, or with anything after it", async () => {
      const whole = encodeArtifact(partsWith({ ledgerEntry: ENTRY }));
      const context = contextFor({ private: true });
      for (let length = 0; length < whole.length; length++) {
        const bytes = whole.subarray(0, length);
        await refused(verifyArtifact(bytes, commitTo(bytes), context), "MALFORMED");
      }
      const longer = concatBytes(whole, Uint8Array.of(0));
      await refused(verifyArtifact(longer, commitTo(longer), context), "MALFORMED", /1 bytes follow/);
    });
    it("a private artifact that names no entry", () =>
      refused(verdictOn({ ledgerEntry: ZERO_WORD }, { private: true }), "MALFORMED", /names no entry/));
    it("a private artifact without the word, or a public one with it", async () => {
      const entry = new Uint8Array(32).fill(7);
      const made = encodeArtifact(partsWith({ ledgerEntry: ENTRY }));
      const without = concatBytes(made.subarray(0, 94), made.subarray(126));
      await refused(verifyArtifact(without, commitTo(without), contextFor({ private: true })), "MALFORMED");
      await malformed(concatBytes(ARTIFACT.subarray(0, 94), entry, ARTIFACT.subarray(94)), /./);
    });
    it("trailing garbage", () => malformed(concatBytes(ARTIFACT, Uint8Array.of(0)), /1 bytes follow/));
    it("another magic", () => malformed(poke(ARTIFACT, 7, 0x32), /magic/));
    it("unknown kind", () => malformed(poke(ARTIFACT, 8, 4), /Kind 4/));
    it("unknown codec", () => malformed(poke(ARTIFACT, 93, 99), /Codec 99/));
    it("an update without codec", () => malformed(poke(ARTIFACT, 93, 0), /Codec 0/));
    it("an update without payload", () => refused(verdictOn({ payload: new Uint8Array(0) }), "MALFORMED", /0 bytes/));
    it("a closing artifact with a payload", () =>
      refused(verdictOn({ kind: "closing", codec: undefined }, { closing: true }), "MALFORMED"));
    it("a seal of another length than its count says", () =>
      refused(verdictOn({ seal: sealFor().subarray(1) }), "MALFORMED", /wraps/));
    it("larger than any artifact of the run, whatever it is", async () => {
      const limit = maxArtifactBytes({ codec: int16, layout: LAYOUT, recipients: 3 });
      await malformed(new Uint8Array(limit + 1), /larger/);
    });
    it("zip bomb: a frame that announces far more than the layout", () =>
      payload(new Uint8Array(1 << 20), /inflates to 1048576 bytes/));
    it("zip bomb: a frame that announces little and holds much", async () => {
      const frame = compress(new Uint8Array(48).fill(1)).slice();
      const bomb = zstdCompressSync(new Uint8Array(1 << 20));
      // Keep the small frame's header and append the blocks of a large one.
      const blocksAt = 6;
      const blocksOfBomb =
        (bomb[4] as number) & 0x20 ? 5 + (1 << ((bomb[4] as number) >>> 6)) : 6 + (1 << ((bomb[4] as number) >>> 6));
      await refused(
        verdictOn({ payload: concatBytes(frame.subarray(0, blocksAt), bomb.subarray(blocksOfBomb)) }),
        "MALFORMED",
      );
    });
    it("one value too few or too many", async () => {
      await payload(blocks().subarray(2), /takes 48/);
      await payload(concatBytes(blocks(), Uint8Array.of(0, 0)), /takes 48/);
    });
    it("a scale of 0", () => payload(poke(blocks(), 3, 0), /scale 0/));
    it("a zero block with a scale other than 1", async () => {
      const zeros = encodeBlocks(new Int32Array(16), blockForm(2, 5));
      await payload(poke(zeros, 3, 2), /scale 2 and only zeros/);
    });
    it("the unused level −32768", () => payload(poke(blocks(), 4, 0x80, 0x00), /stored as -32768/));
    it("the unused level −128 of int8", async () => {
      const codec = CODECS[1] as CodecConfig;
      const content = poke(encodeBlocks(VALUES, blockForm(1, 6)), 4, 0x80);
      await refused(verdictOn({ codec: "int8", payload: compress(content) }, { codec }), "MALFORMED", /stored as -128/);
    });
  });

  it("WRONG_RUN", () => refused(verdictOn({ run: 4n }), "WRONG_RUN"));
  it("WRONG_ROUND: a replayed artifact", () => refused(verdictOn({ round: 6 }), "WRONG_ROUND"));
  it("WRONG_ROUND: an update in a closing round, a closing artifact in another", async () => {
    await refused(verdictOn({ kind: "closing", codec: undefined, payload: new Uint8Array(0) }), "WRONG_ROUND");
    await refused(verdictOn({}, { closing: true }), "WRONG_ROUND");
  });
  it("WRONG_ROUND: a private artifact in a public run, a public one in a private run, in closing rounds too", async () => {
    const closing = { kind: "closing", codec: undefined, payload: new Uint8Array(0) } as const;
    for (const [parts, at] of [
      [{}, {}],
      [closing, { closing: true }],
    ] as const) {
      await refused(verdictOn({ ...parts, ledgerEntry: ENTRY }, at), "WRONG_ROUND");
      await refused(verdictOn(parts, { ...at, private: true }), "WRONG_ROUND");
    }
  });
  it("WRONG_DIGEST: another entry of the privacy ledger than was committed", () => {
    const committed = commitTo(encodeArtifact(partsWith({ ledgerEntry: ENTRY })));
    const other = encodeArtifact(partsWith({ ledgerEntry: `0x${"08".repeat(32)}` }));
    return refused(verifyArtifact(other, committed, contextFor({ private: true })), "WRONG_DIGEST");
  });
  it("WRONG_MEMBER: another member's artifact", () => refused(verdictOn({ memberId: 6 }), "WRONG_MEMBER"));
  it("WRONG_SAMPLES", () => refused(verdictOn({ samples: 601 }), "WRONG_SAMPLES"));
  it("WRONG_BASE: computed from another model", () =>
    refused(verdictOn({ baseHead: `0x${"ac".repeat(32)}` }), "WRONG_BASE"));
  it("WRONG_LAYOUT: another layout", () =>
    refused(verdictOn({ layoutDigest: `0x${"00".repeat(32)}` }), "WRONG_LAYOUT"));
  it("WRONG_LAYOUT: a codec the run does not use", () => refused(verdictOn({ codec: "int8" }), "WRONG_LAYOUT"));
  it("OFF_GRID: a value of 2^24", async () => {
    // Scale 2^14 and levels 2^10, 0, 0, 0, 0: every bound is wide open, so only the grid itself can refuse.
    const content = poke(blocks(), 0, 0, 0, 0x40, 0, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const context = { bounds: { maxCoordinate: 2 ** 25, maxNormSq: 10n ** 30n } };
    await refused(verdictOn(payloadOf(content), context), "OFF_GRID");
    const below = poke(content, 4, 0x03, 0xff);
    assert.ok("kind" in (await verdictOn(payloadOf(below), context)));
  });
  it("OFF_GRID: the largest value that can be written, 2^32−1 times 32767", async () => {
    const content = poke(blocks(), 0, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff);
    const result = await verdictOn(payloadOf(content));
    await refused(Promise.resolve(result), "OFF_GRID");
    assert.deepEqual("values" in result && result.values, { coordinate: 0, value: 0xffffffff * 32_767 });
  });
  it("GRID_OVERFLOW: one unit above and below the master range", async () => {
    for (const [m, q] of [
      [MASTER_LIMIT - 200 * 65_536, 200],
      [MASTER_MIN + 200 * 65_536 - 1, -200],
    ] as const) {
      const values = new Int32Array(LAYOUT.size);
      values[15] = q;
      const master = new Float64Array(LAYOUT.size);
      master[15] = m;
      await refused(verdictOn({ payload: encodePayload(values, int16) }, { master }), "GRID_OVERFLOW");
    }
  });
  it("COORDINATE_BOUND", () =>
    refused(verdictOn({}, { bounds: { maxCoordinate: 39_999, maxNormSq: 10n ** 12n } }), "COORDINATE_BOUND"));
  it("NORM_BOUND: squares of a coarser tensor count sixteenfold", async () => {
    const values = new Int32Array(LAYOUT.size);
    values[0] = 3;
    values[15] = 2;
    const payload = encodePayload(values, int16);
    assert.ok("kind" in (await verdictOn({ payload }, { bounds: { maxCoordinate: 10, maxNormSq: 9n + 16n * 4n } })));
    await refused(
      verdictOn({ payload }, { bounds: { maxCoordinate: 10, maxNormSq: 9n + 16n * 4n - 1n } }),
      "NORM_BOUND",
    );
  });
  it("NORM_BOUND: all coordinates at the grid's limit are summed exactly", async () => {
    const values = new Int32Array(LAYOUT.size).fill(511 * 32_767);
    const square = BigInt(511 * 32_767) ** 2n;
    const normSq = 10n * square + 6n * 16n * square;
    const payload = encodePayload(values, int16);
    assert.ok("kind" in (await verdictOn({ payload }, { bounds: { maxCoordinate: UPDATE_LIMIT, maxNormSq: normSq } })));
    await refused(
      verdictOn({ payload }, { bounds: { maxCoordinate: UPDATE_LIMIT, maxNormSq: normSq - 1n } }),
      "NORM_BOUND",
    );
  });

  describe("BAD_SEAL", () => {
    it("a seal with a wrap too few, also to an auditor without a key", async () => {
      const seal = sealFor({ recipients: contextFor().recipients.slice(0, 2) });
      await refused(verdictOn({ seal }), "BAD_SEAL", /each recipient/);
      const bytes = encodeArtifact(partsWith({ seal }));
      const { recipient: _, ...keyless } = contextFor();
      await refused(verifyArtifact(bytes, commitTo(bytes), keyless), "BAD_SEAL", /each recipient/);
    });
    it("opens for some recipients only: everybody else finds the broken wrap", async () => {
      const broken = poke(sealFor(), 34 + 48 * 2 + 5, 0);
      await refused(verdictOn({ seal: broken }), "BAD_SEAL", /a wrap is not that/);
      await refused(
        verdictOn({ seal: broken }, { recipient: { index: 2, privateKey: PRIVATE_KEYS[2] as Uint8Array } }),
        "BAD_SEAL",
        /does not open/,
      );
    });
    it("sealed for another round", () =>
      refused(verdictOn({ seal: sealFor({ context: sealContext({ ...PLACE, round: 6 }) }) }), "BAD_SEAL"));
    it("sealed for another chain", () =>
      refused(verdictOn({ seal: sealFor({ context: sealContext({ ...PLACE, chainId: 1n }) }) }), "BAD_SEAL"));
    it("recipients in another order", () =>
      refused(verdictOn({ seal: sealFor({ recipients: [...contextFor().recipients].reverse() }) }), "BAD_SEAL"));
  });

  describe("BAD_OPENING", () => {
    it("another loss", () =>
      refused(verdictOn({ seal: sealFor({ opening: { ...OPENING, loss: 150_999 } }) }), "BAD_OPENING"));
    it("another salt", () =>
      refused(verdictOn({ seal: sealFor({ opening: { ...OPENING, salt: 1n } }) }), "BAD_OPENING"));
    it("the same salt plus p, which reduces to it", () =>
      refused(
        verdictOn({ seal: sealFor({ opening: { ...OPENING, salt: OPENING.salt + FIELD_ORDER } }) }),
        "BAD_OPENING",
        /canonical/,
      ));
    it("a salt of 256 ones", () =>
      refused(verdictOn({ seal: sealFor({ opening: { ...OPENING, salt: 2n ** 256n - 1n } }) }), "BAD_OPENING"));
  });
});

describe("verifyArtifact follows the order of the table", () => {
  /** Damages in the order of their codes; each entry adds its damage to those after it, and its code must win. */
  const other = modelLayout([{ name: "other", shape: [16], fractionBits: 18, group: 0 }]);
  const spiked = new Int32Array(LAYOUT.size);
  spiked[2] = 32_767;
  const master = new Float64Array(LAYOUT.size);
  master[2] = MASTER_LIMIT - 1;
  const bounds = { maxCoordinate: 100, maxNormSq: 100n };
  const damages: readonly [RefusalName, Partial<ArtifactParts>, Partial<ArtifactContext>][] = [
    ["MALFORMED", { seal: sealFor().subarray(1) }, {}],
    ["WRONG_RUN", { run: 9n }, {}],
    ["WRONG_ROUND", { round: 9 }, {}],
    ["WRONG_MEMBER", { memberId: 9 }, {}],
    ["WRONG_SAMPLES", { samples: 9 }, {}],
    ["WRONG_BASE", { baseHead: `0x${"00".repeat(32)}` }, {}],
    ["WRONG_LAYOUT", { layoutDigest: `0x${Buffer.from(other.digest).toString("hex")}` }, {}],
    ["GRID_OVERFLOW", {}, { master }],
    ["COORDINATE_BOUND", {}, { bounds }],
    ["NORM_BOUND", {}, { bounds: { ...bounds, maxCoordinate: 32_767 } }],
    ["BAD_SEAL", { seal: sealFor({ context: new Uint8Array(192), opening: { loss: 1, salt: 1n } }) }, {}],
    ["BAD_OPENING", { seal: sealFor({ opening: { loss: 1, salt: 1n } }) }, {}],
  ];
  for (const [first, [name]] of damages.entries()) {
    it(name, async () => {
      const rest = damages.slice(first).reverse();
      const artifact = Object.assign({ payload: encodePayload(spiked, int16) }, ...rest.map(([, changes]) => changes));
      const context = Object.assign({}, ...rest.map(([, , changes]) => changes));
      await refused(verdictOn(artifact, context), name);
    });
  }

  it("OFF_GRID comes before the bounds, and a malformed payload before a wrong header", async () => {
    const content = poke(blocks(), 0, 0xff, 0xff, 0xff, 0xff);
    await refused(verdictOn(payloadOf(content), { master, bounds }), "OFF_GRID");
    await refused(verdictOn({ ...payloadOf(poke(blocks(), 3, 0)), run: 9n }), "MALFORMED");
  });
});

describe("verifyArtifact is total", () => {
  const outcome = async (bytes: Uint8Array, context = contextFor()): Promise<string> => {
    const result = await verifyArtifact(bytes, commitTo(bytes), context);
    return "code" in result ? result.name : "accepted";
  };

  it("on arbitrary bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), fc.boolean(), async (noise, magic) => {
        assert.equal(await outcome(magic ? concatBytes(ARTIFACT.subarray(0, 8), noise) : noise), "MALFORMED");
      }),
      { seed: 21, numRuns: 400 },
    );
  });

  it("on arbitrary content in a good frame in a good artifact, for every codec", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...CODECS),
        fc.uint8Array({ minLength: 1, maxLength: 60 }),
        async (codec, content) => {
          const bytes = encodeArtifact(partsWith({ codec: codec.name, payload: compress(content) }));
          assert.match(
            await outcome(bytes, contextFor({ codec })),
            /^(MALFORMED|OFF_GRID|GRID_OVERFLOW|COORDINATE_BOUND|NORM_BOUND|accepted)$/,
          );
        },
      ),
      { seed: 22, numRuns: 600 },
    );
  });

  it("on a valid artifact with bytes changed, removed, doubled or moved", async () => {
    const damage = fc.tuple(
      fc.constantFrom("flip", "cut", "double", "swap"),
      fc.nat(ARTIFACT.length - 1),
      fc.nat(40),
      fc.integer({ min: 1, max: 255 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
        let bytes = Uint8Array.from(ARTIFACT);
        for (const [how, where, length, mask] of damages) {
          const at = Math.min(where, bytes.length - 1);
          const piece = bytes.slice(at, at + length);
          if (how === "flip") bytes[at] = (bytes[at] as number) ^ mask;
          else if (how === "cut")
            bytes = concatBytes(bytes.subarray(0, at), bytes.subarray(at + length)) as typeof bytes;
          else if (how === "double")
            bytes = concatBytes(bytes.subarray(0, at), piece, bytes.subarray(at)) as typeof bytes;
          else
            bytes = concatBytes(
              bytes.subarray(0, at),
              piece.reverse(),
              bytes.subarray(at + piece.length),
            ) as typeof bytes;
          if (bytes.length === 0) break;
        }
        await outcome(bytes);
      }),
      { seed: 23, numRuns: 800 },
    );
  });

  it("no single changed byte outside the payload goes unnoticed", async () => {
    const payloadAt = ARTIFACT.length - partsWith().payload.length;
    for (let at = 0; at < payloadAt; at++)
      assert.notEqual(await outcome(poke(ARTIFACT, at, (ARTIFACT[at] as number) ^ 0x41)), "accepted", `byte ${at}`);
  });

  it("the content key sealed again gives the same bytes", () =>
    assert.deepEqual(sealFor({ contentKey: CONTENT_KEY }), sealFor()));
});
