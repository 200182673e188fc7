// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkText } from "../../scripts/checks/text.ts";

const APACHE = "// SPDX-License-Identifier: Apache-2.0\n";
const GPL = "// SPDX-License-Identifier: GPL-3.0\n";

const judge = (path: string, text: string): string[] => checkText([{ path, text }]).map(({ message }) => message);
const refused = (path: string, text: string, reason: RegExp): void => {
  const messages = judge(path, text);
  assert.equal(messages.length, 1, messages.join("; ") || "nothing said");
  assert.match(messages[0] ?? "", reason);
};
const accepted = (path: string, text: string): void => assert.deepEqual(judge(path, text), []);

describe("licence headers", () => {
  it("right ones", () => {
    accepted("src/protocol/grid.ts", APACHE);
    accepted("scripts/start.mjs", `#!/usr/bin/env node\n${APACHE}`);
    accepted(".ci/run", "#!/usr/bin/env bash\n# SPDX-License-Identifier: Apache-2.0\n");
    accepted("circuits/lib/a.circom", `pragma circom 2.2.2;\n${GPL}`);
    accepted("contracts/verifiers/Loss8.sol", GPL);
    accepted("README.md", "no header");
    accepted("package.json", "{}");
  });
  it("absent, too late or for another folder", () => {
    refused("src/protocol/grid.ts", "export const a = 1;\n", /absent/);
    refused("src/protocol/grid.ts", `\n\n\n\n${APACHE}`, /absent/);
    refused(".ci/run", "#!/usr/bin/env bash\n", /absent/);
    refused("contracts/rounds/Ledger.sol", GPL, /is GPL-3.0; here it is Apache-2.0/);
    refused("contracts/verifiers/Loss8.sol", APACHE, /is Apache-2.0; here it is GPL-3.0/);
    refused("circuits/lib/a.circom", APACHE, /here it is GPL-3.0/);
  });
});

describe("places on somebody's machine", () => {
  it("anywhere, documents too", () => {
    refused("docs/a.md", "see /home/ada/notes.md", /somebody's machine/);
    refused("docs/a.md", "`/root/x`", /somebody's machine/);
    refused("src/a.ts", `${APACHE}read("/Users/ada/x")`, /somebody's machine/);
    refused("docs/a.md", "C:\\Users\\ada", /somebody's machine/);
  });
  it("not in addresses and relative paths", () => {
    accepted("docs/a.md", "https://example.org/home/ada and ./work/x and src/root/x and .../home/x");
    accepted("docs/a.md", "the root / and /tmp");
  });
  it("a folder beside the repository: tests may look and skip", () => {
    refused("src/data/a.ts", `${APACHE}const f = "../shared/data";`, /outside the repository/);
    accepted("test/data/a.test.ts", `${APACHE}const f = "../shared/data";`);
  });
});

describe("unfinished work", () => {
  it("marks", () => {
    for (const mark of ["TODO", "FIXME", "XXX", "HACK"])
      refused("src/a.ts", `${APACHE}// ${mark} later\n`, new RegExp(mark));
    accepted("src/a.ts", `${APACHE}const TODOS = 1;`);
  });
  it("a test that silences the others", () => {
    refused("test/a.test.ts", `${APACHE}it.only("x", f)`, /keeps all other tests/);
    refused("test/a.test.ts", `${APACHE}test("x", { only: true }, f)`, /keeps all other tests/);
  });
  it("merge conflicts", () => {
    refused("docs/a.md", "a\n<<<<<<< HEAD\nb", /merge conflict/);
    accepted("docs/a.md", "Title\n=====\n");
  });
});
