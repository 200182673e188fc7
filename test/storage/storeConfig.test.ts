// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openStore } from "../../src/storage/openStore.ts";
import { parseStoreConfig, parseStoreUrl } from "../../src/storage/storeConfig.ts";
import { generateSwarmKey, parseSwarmKey, readSwarmKey } from "../../src/storage/swarmKey.ts";
import { sampleBytes, temporaryFolder } from "./support.ts";

const PEER = "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5";
const INVALID = { code: "STORE_CONFIG_INVALID" };

describe("parseStoreUrl", () => {
  it("reads every form", () => {
    assert.deepEqual(parseStoreUrl("http://127.0.0.1:8080"), { kind: "gateway", url: "http://127.0.0.1:8080" });
    assert.deepEqual(parseStoreUrl("https://host/base"), { kind: "gateway", url: "https://host/base" });
    assert.deepEqual(parseStoreUrl("memory:"), { kind: "memory" });
    assert.deepEqual(parseStoreUrl(`helia:?peers=${PEER},${PEER}`), { kind: "helia", listen: [], peers: [PEER, PEER] });
    assert.deepEqual(
      parseStoreUrl(
        `helia:/var/lib/store?peers=${PEER}&listen=/ip4/0.0.0.0/tcp/4001&swarmKey=/etc/swarm.key&allowPeers=a,b`,
      ),
      {
        kind: "helia",
        folder: "/var/lib/store",
        listen: ["/ip4/0.0.0.0/tcp/4001"],
        peers: [PEER],
        swarmKeyFile: "/etc/swarm.key",
        allowPeers: ["a", "b"],
      },
    );
    assert.deepEqual(parseStoreUrl("helia:"), { kind: "helia", listen: [], peers: [] });
  });

  it("STORE_CONFIG_INVALID: other schemes, misspelt fields", () => {
    for (const text of ["", "ipfs://x", "ftp://host", "/var/lib/store", "helia:?peer=x"]) {
      assert.throws(() => parseStoreUrl(text), INVALID, text);
    }
  });
});

describe("parseStoreConfig", () => {
  it("fills in defaults", () => {
    assert.deepEqual(parseStoreConfig({ kind: "helia" }), {
      kind: "helia",
      listen: ["/ip4/127.0.0.1/tcp/0"],
      peers: [],
    });
  });

  it("STORE_CONFIG_INVALID: names what is wrong", () => {
    const wrong: [unknown, RegExp][] = [
      [undefined, /cannot be used/],
      [{ kind: "ipfs" }, /kind/],
      [{ kind: "helia", peers: "one" }, /peers/],
      [{ kind: "helia", flder: "x" }, /flder/],
      [{ kind: "gateway" }, /url/],
    ];
    for (const [config, message] of wrong) assert.throws(() => parseStoreConfig(config), { ...INVALID, message });
  });
});

describe("openStore", () => {
  it("opens each kind, and Helia stores that reach each other", async (t) => {
    const folder = await temporaryFolder(t);
    const memory = await openStore({ kind: "memory" });
    const gateway = await openStore({ kind: "gateway", url: "http://127.0.0.1:1" });
    const helia = await openStore({ kind: "helia", folder });
    t.after(() => Promise.all([memory.close(), gateway.close(), helia.close()]));
    const cid = await helia.put(sampleBytes(10));
    assert.equal(cid, await gateway.cidOf(sampleBytes(10)));
    assert.equal(cid, await memory.put(sampleBytes(10)));
  });

  it("STORE_CONFIG_INVALID: no multiaddr, no free port, no swarm key", async (t) => {
    const folder = await temporaryFolder(t);
    await assert.rejects(openStore({ kind: "helia", peers: ["192.0.2.7:4001"] }), INVALID);
    await assert.rejects(openStore({ kind: "helia", listen: ["/ip4/192.0.2.7/tcp/1"] }), INVALID);
    await assert.rejects(openStore({ kind: "helia", swarmKeyFile: join(folder, "absent.key") }), INVALID);
  });
});

describe("swarmKey", () => {
  it("reads what it generates, which is Kubo's format", async (t) => {
    const path = join(await temporaryFolder(t), "swarm.key");
    const key = generateSwarmKey();
    assert.match(key, /^\/key\/swarm\/psk\/1\.0\.0\/\n\/base16\/\n[0-9a-f]{64}\n$/);
    assert.notEqual(key, generateSwarmKey());
    await writeFile(path, key);
    assert.equal(Buffer.from(await readSwarmKey(path)).toString(), key);
    assert.equal(Buffer.from(parseSwarmKey(key.replaceAll("\n", "\r\n"), "x")).toString(), key);
  });

  it("STORE_CONFIG_INVALID: another header, another encoding, a short key", () => {
    const key = generateSwarmKey();
    const wrong = [
      "",
      key.replace("1.0.0", "2.0.0"),
      key.replace("base16", "base64"),
      key.slice(0, -3),
      key.replace(/\n[0-9a-f]/, "\ng"),
    ];
    for (const text of wrong) assert.throws(() => parseSwarmKey(text, "key"), INVALID, text);
  });
});
