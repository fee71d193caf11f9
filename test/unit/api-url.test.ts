import assert from "node:assert/strict";
import { apiUrl } from "../../bin/stack/mesh.ts";
import { loadSettings } from "../../config/settings.ts";

describe("where the API of a mesh is, from this machine", () => {
  for (const [host, url] of [
    ["127.0.0.1", "http://127.0.0.1:3000"],
    ["0.0.0.0", "http://127.0.0.1:3000"],
    ["::", "http://127.0.0.1:3000"],
    ["::1", "http://[::1]:3000"],
    ["leads.example", "http://leads.example:3000"],
  ] as const)
    it(`is ${url} where it listens at ${host}`, () => {
      assert.equal(apiUrl(loadSettings({ LEADS_HTTP_HOST: host })), url);
    });
});
