import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { loadSettings } from "../../../config/settings.ts";
import { readLink, signLink } from "../../../services/email/links.ts";
import { mailOf } from "../../../services/email/mail-of.ts";
import { addressHash } from "../../../services/email/recipient.ts";
import { aLead, bareMockup } from "../../support/leads.ts";

const now = Date.UTC(2026, 10, 23);
const day = 86_400_000;
const old = "the-secret-that-was-used-before-this";
const young = "the-secret-that-is-used-from-now-on!";
const address = addressHash("info@joes.example");
const unsubscribe = { purpose: "unsubscribe", tenant: "acme", address } as const;
const check = { secrets: [young, old], days: 400, now };

describe("a signed link", () => {
  it("says what was signed: whom it concerns, and for which tenant", () => {
    const leadId = randomUUID();
    assert.deepEqual(readLink("unsubscribe", signLink(unsubscribe, [young], now), check), unsubscribe);
    const mockup = { purpose: "mockup", tenant: "a-tenant-with-a-name-of-32-chars", leadId } as const;
    assert.deepEqual(readLink("mockup", signLink(mockup, [young], now), check), mockup);
  });

  it("is refused with any one of its bits turned, with a piece missing and with one too many", () => {
    const bytes = Buffer.from(signLink(unsubscribe, [young], now), "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const turned = Buffer.from(bytes);
      turned[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(readLink("unsubscribe", turned.toString("base64url"), check), undefined, `bit ${bit}`);
    }
    for (const other of [bytes.subarray(1), bytes.subarray(0, -1), Buffer.concat([bytes, bytes.subarray(0, 1)])])
      assert.equal(readLink("unsubscribe", other.toString("base64url"), check), undefined);
  });

  it("is refused in another spelling of the same bytes, and where it is no link at all", () => {
    const word = signLink(unsubscribe, [young], now);
    for (const other of [`${word}=`, `${word} `, word.replace(/^/, "."), "", "none", "\u0000", "a".repeat(10_000)])
      assert.equal(readLink("unsubscribe", other, check), undefined);
  });

  it("does not open what it was not made for", () => {
    const word = signLink({ purpose: "mockup", tenant: "acme", leadId: randomUUID() }, [young], now);
    assert.equal(readLink("unsubscribe", word, check), undefined);
    assert.equal(readLink("mockup", signLink(unsubscribe, [young], now), check), undefined);
  });

  it("outlives a change of the secret, until the old one is taken out", () => {
    const word = signLink(unsubscribe, [old], now);
    assert.ok(readLink("unsubscribe", word, check));
    assert.equal(readLink("unsubscribe", word, { ...check, secrets: [young] }), undefined);
    assert.equal(readLink("unsubscribe", word, { ...check, secrets: [] }), undefined);
  });

  it("is refused when it is too old, or from days to come", () => {
    const word = signLink(unsubscribe, [young], now);
    const at = (moment: number) => readLink("unsubscribe", word, { ...check, now: moment });
    assert.ok(at(now + 400 * day));
    assert.equal(at(now + 401 * day), undefined);
    assert.ok(at(now - day), "clocks may differ");
    assert.equal(at(now - 2 * day), undefined);
  });
});

describe("the links of an e-mail", () => {
  for (const [publicUrl, base] of [
    ["https://leads.example", "https://leads.example"],
    ["https://leads.example/", "https://leads.example"],
    ["https://proxy.example/leads", "https://proxy.example/leads"],
    ["https://proxy.example/our/leads//", "https://proxy.example/our/leads"],
  ] as const)
    it(`stand below ${publicUrl}, with its path`, () => {
      const settings = loadSettings({
        LEADS_PUBLIC_URL: publicUrl,
        LEADS_LINK_SECRETS: young,
        LEADS_POSTAL_ADDRESS: "1 Main St, Springfield, IL 62701",
        LEADS_MAIL_FROM: "ada@leads.example",
      });
      const { text, sending } = mailOf(settings, aLead({ mockup: bareMockup() }), "info@joes.example", now);
      const word = sending!.unsubscribeUrl.slice(`${base}/u/`.length);
      assert.equal(sending!.unsubscribeUrl, `${base}/u/${word}`);
      assert.ok(readLink("unsubscribe", word, check));
      assert.ok(text.includes(`${base}/u/${word}`));
      assert.match(text, new RegExp(`See the draft: ${base}/m/[\\w-]+\\n`));
    });
});
