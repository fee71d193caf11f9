import assert from "node:assert/strict";
import { Parser } from "htmlparser2";
import { compose } from "../../../services/email/compose.ts";
import { bareMockup } from "../../support/leads.ts";

const mockupUrl = "https://leads.example/v1/leads/0b8e/mockup?a=1&b=2";
const mailTo = (name: string, improvements: string[] = [], more: Partial<Parameters<typeof compose>[1]> = {}) =>
  compose(
    { fields: { name }, mockup: bareMockup(improvements) },
    { to: "info@joes.example", senderName: "Ada Park", mockupUrl, ...more },
  );

function parse(html: string): { tags: string[]; text: string; hrefs: string[] } {
  const seen = { tags: [] as string[], text: "", hrefs: [] as string[] };
  const parser = new Parser({
    onopentag(tag, { href }) {
      seen.tags.push(tag);
      if (href !== undefined) seen.hrefs.push(href);
    },
    ontext(text) {
      seen.text += text;
    },
  });
  parser.end(html);
  return seen;
}

describe("an e-mail", () => {
  it("has a subject, a text and an HTML part that say the same", () => {
    const mail = mailTo("Joe's Diner", ["Your site is slow.", "We found no form on your site."]);
    assert.equal(mail.to, "info@joes.example");
    assert.equal(mail.subject, "A draft of a web site for Joe's Diner");
    const { text, hrefs } = parse(mail.html);
    for (const part of [
      "We drafted a web site for Joe's Diner",
      "Your site is slow.",
      "We found no form on your site.",
      "Kind regards",
      "Ada Park",
    ]) {
      assert.ok(mail.text.includes(part), part);
      assert.ok(text.includes(part), part);
    }
    assert.ok(mail.text.includes(mockupUrl));
    assert.deepEqual(hrefs, [mockupUrl]);
  });

  it("names three improvements at the most, and has no list where there are none", () => {
    const mail = mailTo("Joe's", ["One.", "Two.", "Three.", "Four."]);
    assert.match(mail.text, /- One\.\n- Two\.\n- Three\.\n\n/);
    assert.doesNotMatch(mail.text + mail.html, /Four\./);
    const bare = mailTo("Joe's");
    assert.doesNotMatch(bare.text + bare.html, /noticed|<ul/);
    assert.doesNotMatch(bare.text, /\n{3}/);
  });

  it("promises no draft where there is none", () => {
    const mail = compose({ fields: { name: "Joe's" } }, { to: "info@joes.example", senderName: "Ada" });
    assert.equal(mail.subject, "Ideas for the web site of Joe's");
    assert.doesNotMatch(mail.text + mail.html, /draft|href/);
  });

  it("ends with who sent it, from where, and how to get no more of it, when it is told that", () => {
    const foot = {
      postalAddress: "1 Main St & Oak, Springfield, IL 62701",
      unsubscribeUrl: "https://leads.example/u/x?a=1&b",
    };
    const mail = mailTo("Joe's", [], { foot });
    assert.match(
      mail.text,
      /\n-- \nThis is a commercial message\..*\nAda Park, 1 Main St & Oak, Springfield, IL 62701\n/,
    );
    assert.ok(mail.text.endsWith(`To get no more e-mail from us: ${foot.unsubscribeUrl}\n`));
    const { text, hrefs } = parse(mail.html);
    assert.match(text, /This is a commercial message\..*Ada Park, 1 Main St & Oak, Springfield, IL 62701/);
    assert.deepEqual(hrefs, [mockupUrl, foot.unsubscribeUrl]);
    const without = mailTo("Joe's");
    assert.doesNotMatch(without.text, /^-- $/m);
    assert.doesNotMatch(without.text + without.html, /commercial|no more/);
  });

  const hostile: Record<string, string> = {
    "a header in the name": "Joe's\r\nBcc: all@evil.example\r\n\r\n<html>",
    "other line breaks": "Joe\u2028Bcc: a\u2029b\u0085c\u000bd\u0000e",
    "a script": "<script>alert(1)</script>",
    "the end of an attribute": '"><img src=x onerror=alert(1)>',
    "characters that turn the direction": "Safe\u202egpj\u2066x",
    "half a character": "a\ud800b",
    "an endless name": "Long name ".repeat(10_000),
  };
  for (const [what, name] of Object.entries(hostile)) {
    it(`is harmless with ${what}`, () => {
      const mail = mailTo(name, [name]);
      assert.match(mail.subject, /^[^\p{Cc}\u2028\u2029]{1,90}$/u);
      assert.doesNotMatch(mail.subject + mail.text + mail.html, /[\u202a-\u202e\u2066-\u2069]/);
      assert.ok((mail.subject + mail.text + mail.html).isWellFormed());
      assert.deepEqual(parse(mail.html).tags, parse(mailTo("Joe's", ["One."]).html).tags);
      assert.doesNotMatch(mail.text, /^Bcc:/m);
      assert.ok(mail.html.length < 8_000);
    });
  }
});
