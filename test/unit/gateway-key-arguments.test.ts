import assert from "node:assert/strict";
import { readKeyCommand } from "../../bin/key/arguments.ts";

const read = (line: string) => readKeyCommand(line.split(" ").filter(Boolean));

describe("npm run key", () => {
  it("reads a key to be made", () => {
    assert.deepEqual(read("create --tenant acme --scopes ingest,read --label crm"), {
      command: "create",
      tenant: "acme",
      scopes: ["ingest", "read"],
      label: "crm",
      json: false,
    });
  });
  it("reads list and revoke", () => {
    assert.deepEqual(read("list --tenant acme --json"), { command: "list", tenant: "acme", json: true });
    assert.deepEqual(read("revoke 0123456789ab"), { command: "revoke", id: "0123456789ab", json: false });
  });
  it("shows how it is used", () => {
    for (const line of ["", "help", "create --help"]) assert.deepEqual(read(line), { command: "help" });
  });
  for (const [line, message] of [
    ["create", /--tenant is missing[\s\S]*--scopes is missing/],
    ["create --tenant Acme --scopes read", /--tenant "Acme"/],
    ["create --tenant a.b --scopes read", /--tenant "a\.b"/],
    ["create --tenant acme --scopes read,write", /--scopes "write": is not one of ingest, read, operate, platform/],
    ["create --tenant acme --scopes read extra", /extra: not understood/],
    ["create --tenant acme --scope read", /--scope/],
    ["list --label x", /list takes no --label/],
    ["revoke", /revoke which key/],
    ["revoke lf_secret", /is no key's id/],
    ["destroy", /"destroy" is none of create, list, revoke/],
  ] as const)
    it(`names what is wrong with "${line}"`, () => {
      assert.throws(() => read(line), message);
    });
});
