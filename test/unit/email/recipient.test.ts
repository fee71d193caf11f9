import assert from "node:assert/strict";
import { readCursor, writeCursor } from "../../../mixins/time-cursor.ts";
import { addressHash, recipientOf } from "../../../services/email/recipient.ts";
import { chooseEmail } from "../../../services/enrich/choose-email.ts";
import type { LeadFields } from "../../../services/leads/lead.ts";
import { aLead } from "../../support/leads.ts";

const to = (fields: Partial<LeadFields>, emails?: string[]) =>
  recipientOf(aLead({ fields: { name: "Joe's", ...fields }, facts: emails ? { site: { status: "ok", emails } } : {} }));

describe("the recipient", () => {
  it("is the address that the sources name", () => {
    assert.equal(to({ email: "info@joes.example", domain: "other.example" }, ["x@other.example"]), "info@joes.example");
  });

  it("else is one of the site's own domain, else one at a mail service", () => {
    assert.equal(
      to({ domain: "joes.example" }, ["joe@gmail.com", "web@designer.example", "Joe@mail.Joes.example"]),
      "Joe@mail.Joes.example",
    );
    assert.equal(to({ domain: "joes.example" }, ["web@designer.example", "joe@gmail.com"]), "joe@gmail.com");
  });

  it("is nobody where the site shows only a stranger's address, or none is known", () => {
    assert.equal(to({ domain: "joes.example" }, ["web@designer.example", "a@notjoes.example"]), undefined);
    assert.equal(to({}), undefined);
  });

  for (const [what, fields, emails] of [
    ["a mailbox that nobody reads", { domain: "joes.com" }, ["noreply@joes.com"]],
    ["one that is there for something else", { domain: "joes.com" }, ["abuse@joes.com", "Jobs@joes.com"]],
    ["the platform's whose page the lead has", { domain: "yelp.com" }, ["feedback@yelp.com"]],
    ["one of several at mail services", { domain: "joes.com" }, ["a.partner@gmail.com", "b.partner@gmail.com"]],
  ] as const)
    it(`is not ${what}, neither when the site is read nor when it is written to`, () => {
      assert.deepEqual(chooseEmail({ name: "Joe's", ...fields }, { status: "ok", emails: [...emails] }), {});
      assert.equal(to(fields, [...emails]), undefined);
      assert.equal(to({ email: "x@throwaway.example", emailDisposable: true, ...fields }, [...emails]), undefined);
    });

  it("is not a disposable address", () => {
    assert.equal(to({ email: "x@throwaway.example", emailDisposable: true }), undefined);
  });

  for (const email of [
    "a@b.example\r\nBcc: c@d.example",
    "a@b.example, c@d.example",
    "Joe <a@b.example>",
    "a b@c.example",
    '"a b"@c.example',
    "a@b",
    "a@-b.example",
    "@b.example",
    "a@b..example",
    "a@b.example;c",
  ]) {
    it(`is never ${JSON.stringify(email)}`, () => {
      assert.equal(to({ email }), undefined);
    });
  }

  it("is known by a hash that capitals do not change", () => {
    assert.deepEqual(addressHash("Info@Joes.Example"), addressHash("info@joes.example"));
    assert.equal(addressHash("info@joes.example").length, 32);
    assert.notDeepEqual(addressHash("a@joes.example"), addressHash("info@joes.example"));
  });
});

describe("a cursor of the outbox", () => {
  it("keeps the key to the microsecond", () => {
    const key = { at: "2026-11-23T21:28:00.123456Z", id: "0b8e9a52-5a0c-4c7e-9d6e-0f1e2d3c4b5a" };
    assert.deepEqual(readCursor(writeCursor(key)), key);
  });

  for (const text of [
    "",
    "x",
    "2026-11-23T21:28:00.123456Z",
    "2026-45-23T21:28:00.123456Z 0b8e9a52-5a0c-4c7e-9d6e-0f1e2d3c4b5a",
    "2026-02-30T21:28:00.123456Z 0b8e9a52-5a0c-4c7e-9d6e-0f1e2d3c4b5a",
    "2026-11-23T21:28:00.123456Z 0b8e9a52",
  ]) {
    it(`is none that says ${JSON.stringify(text)}`, () => {
      assert.equal(readCursor(Buffer.from(text).toString("base64url")), undefined);
    });
  }
});
