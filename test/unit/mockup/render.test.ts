import assert from "node:assert/strict";
import { Parser } from "htmlparser2";
import type { Lead, LeadFields, MockupDraft } from "../../../services/leads/lead.ts";
import { draft } from "../../../services/mockup/draft.ts";
import { mailHref, phoneHref, phoneText } from "../../../services/mockup/links.ts";
import { render } from "../../../services/mockup/render.ts";
import { clean, initials } from "../../../services/mockup/text.ts";
import { anyTrade, trades } from "../../../services/mockup/trades.ts";
import { aLead } from "../../support/leads.ts";

interface Seen {
  tags: string[];
  /** Attributes as `tag name=value`. */
  attributes: { tag: string; name: string; value: string }[];
  text: string;
}

/** The page as a browser's parser sees it. */
function parse(html: string): Seen {
  const seen: Seen = { tags: [], attributes: [], text: "" };
  let inStyle = false;
  const parser = new Parser({
    onopentag(tag, attributes) {
      seen.tags.push(tag);
      inStyle = tag === "style";
      for (const [name, value] of Object.entries(attributes)) seen.attributes.push({ tag, name, value });
    },
    ontext(text) {
      if (!inStyle) seen.text += text;
    },
    onclosetag() {
      inStyle = false;
    },
  });
  parser.end(html);
  return seen;
}

const pageOf = (fields: Partial<LeadFields>, rest: Partial<Lead> = {}) => {
  const lead = aLead({ ...rest, fields: { name: "Sunrise Dental", ...fields } });
  return render(draft(lead), lead);
};
const full: Partial<LeadFields> = {
  vertical: "dentist",
  phone: "+13125550110",
  email: "office@sunrise.example",
  address: {
    street: "27 Washington Blvd",
    unit: "Suite 4",
    city: "Oak Park",
    state: "IL",
    zip: "60302",
    country: "US",
  },
};

const allowedTags = new Set(
  "html head meta title style body a header div span nav ul ol li main section h1 h2 h3 p dl dt dd footer aside strong svg rect circle path g".split(
    " ",
  ),
);

function assertHarmless(html: string): void {
  const { tags, attributes } = parse(html);
  assert.deepEqual(
    tags.filter((tag) => !allowedTags.has(tag)),
    [],
  );
  for (const { tag, name, value } of attributes) {
    assert.doesNotMatch(name, /^on|^src|^action|^formaction|^srcset|^background|style/, `${tag} ${name}`);
    if (name === "href") assert.match(value, /^(#[a-z0-9-]+|tel:\+\d+|mailto:[^?&\s]+)$/, value);
  }
  assert.doesNotMatch(html, /@import|url\(/);
}

const hostileNames: Record<string, string> = {
  "a script": "<script>alert(1)</script>",
  "an image with a handler": '"><img src=x onerror=alert(1)>',
  "the end of the style": "</style><script>alert(1)</script>",
  "the end of the title": "</title><svg onload=alert(1)>",
  "a comment": "<!-- --><!--><iframe src=//evil.example>",
  quotes: "O'Brien \"&\" Sons' `x`",
  "an entity": "&lt;script&gt; &#60;b&#62; &amp",
  "right to left": "مطعم الشرق",
  "characters that turn the direction": "Safe\u202e\u2066 gpj.exe\u0007\u0000",
  "an emoji that is many characters": "👨‍👩‍👧‍👦".repeat(80),
  "one endless word": "W".repeat(5_000),
  "half a character": "Half \ud83d and \udc00 more",
  "line breaks": "Two\r\nlines\u2028three",
  "a pattern of replacement": "$& $1 $` $$",
  nothing: "",
};

describe("the page of a mock-up", () => {
  for (const [what, name] of Object.entries(hostileNames)) {
    it(`is harmless and whole with ${what} for a name`, () => {
      const html = pageOf({ ...full, name });
      assertHarmless(html);
      const usual = parse(pageOf(full));
      assert.deepEqual(parse(html).tags, usual.tags);
      assert.doesNotMatch(html.replaceAll("\n", ""), /[\u202a-\u202e\u2066-\u2069\p{Cc}]/u);
      assert.ok(html.isWellFormed());
      assert.ok(html.length < 30_000, String(html.length));
    });

    it(`is harmless with ${what} in every other field`, () => {
      const lead = aLead({
        fields: {
          name: "Sunrise",
          phone: name,
          email: name,
          website: name,
          vertical: name,
          categories: [name],
          address: { street: name, unit: name, city: name, state: name, zip: name, country: name },
        },
        facts: {
          site: {
            status: "ok",
            description: `${name} and many more words so that it reads like a sentence of somebody`,
            social: { facebook: name, [name]: "https://a.example/" },
          },
        },
      });
      const made = draft(lead, new Map([["r", name]]));
      assertHarmless(render(made, lead));
      const hostile = {
        ...made,
        template: name,
        palette: name,
        headline: name,
        tagline: name,
        callToAction: name,
        improvements: [name],
        sections: [{ title: name, body: name, items: [name, `${name}: ${name}`] }],
      };
      assertHarmless(render(hostile, lead));
    });
  }

  it("shows an escaped name as it was written", () => {
    assert.ok(parse(pageOf({ name: "Tom & Jerry's <Grill>" })).text.includes("Tom & Jerry's <Grill>"));
  });

  it("offers the phone and the mail as links, and the way in words", () => {
    const { attributes, text } = parse(pageOf(full));
    const hrefs = attributes.filter(({ name }) => name === "href").map(({ value }) => value);
    assert.ok(hrefs.includes("tel:+13125550110"));
    assert.ok(hrefs.includes("mailto:office@sunrise.example"));
    assert.ok(text.includes("(312) 555-0110"));
    assert.ok(text.includes("27 Washington Blvd Suite 4, Oak Park, IL 60302"));
  });

  it("leads nowhere but to its own parts and to the business, whatever profiles its site names", () => {
    const social = { facebook: "https://facebook.com/somebody", instagram: "https://evil.example/" };
    const html = pageOf(full, { facts: { site: { status: "ok", social } } });
    assertHarmless(html);
    assert.ok(parse(html).text.includes("Facebook"));
    assert.doesNotMatch(html, /facebook\.com|evil\.example/);
  });

  it("shows a draft's parts in their own order, and one of the first kind by their place", () => {
    const lead = aLead({ fields: { name: "Sunrise" } });
    const made = draft(lead);
    const [cards, steps, about] = made.sections;
    const looks = (sections: MockupDraft["sections"]) =>
      [...render({ ...made, sections }, lead).matchAll(/<section class="band (?:tint)? (cards|steps|about)"/g)].map(
        ([, look]) => look,
      );
    assert.deepEqual(looks(made.sections), ["cards", "steps", "about"]);
    const other = [
      { ...about!, look: "about" as const },
      { ...steps!, look: "steps" as const },
      { ...cards!, look: "cards" as const },
      { ...cards!, look: "cards" as const },
    ];
    assert.deepEqual(looks(other), ["about", "steps", "cards", "cards"]);
    assertHarmless(render({ ...made, sections: other }, lead));
    assertHarmless(render({ ...made, sections: [] }, lead));
  });

  it("is whole when nothing but the name is known", () => {
    const html = pageOf({});
    assertHarmless(html);
    assert.doesNotMatch(html, /undefined|null|NaN|tel:|mailto:|<dl>/);
  });

  it("says that it is a draft, lists what was noticed, and keeps search engines out", () => {
    const html = pageOf(full, { score: { value: 80, version: "v", fired: [{ name: "no_viewport", points: 14 }] } });
    const { text, attributes } = parse(html);
    assert.match(text, /This is a draft/);
    assert.match(text, /On a phone your site shows as a shrunken desktop page/);
    assert.ok(attributes.some(({ tag, value }) => tag === "meta" && value === "noindex, nofollow"));
  });

  it("has one main heading, headings in order, and a label for each landmark of several", () => {
    const headings = parse(pageOf(full))
      .tags.filter((tag) => /^h\d$/.test(tag))
      .map((tag) => Number(tag[1]));
    assert.equal(headings.filter((level) => level === 1).length, 1);
    for (let i = 1; i < headings.length; i++) assert.ok(headings[i]! <= headings[i - 1]! + 1);
    const { attributes } = parse(pageOf(full));
    const ids = new Set(attributes.filter(({ name }) => name === "id").map(({ value }) => value));
    for (const { name, value } of attributes) {
      if (name === "aria-labelledby") assert.ok(ids.has(value), value);
      if (name === "href" && value.startsWith("#")) assert.ok(ids.has(value.slice(1)), value);
    }
  });

  it("is rendered for every trade, and differs between them", () => {
    const pages = [...trades, anyTrade].map(({ template }) => pageOf({ ...full, name: "Sunrise", vertical: template }));
    for (const page of pages) assertHarmless(page);
    assert.equal(new Set(pages.map((page) => /<h1>(.*)<\/h1>/.exec(page)![1])).size, pages.length);
  });
});

describe("links of a mock-up", () => {
  it("call E.164 numbers alone", () => {
    assert.equal(phoneHref("+13125550110"), "tel:+13125550110");
    for (const phone of ["3125550110", "+1 312", "+1;ext=5", "javascript:1", "+0123456", ""])
      assert.equal(phoneHref(phone), undefined, phone);
    assert.equal(phoneText("+13125550110"), "(312) 555-0110");
    assert.equal(phoneText("+499261628000"), "+49 9261 628000");
  });

  it("write to one plain address alone", () => {
    assert.equal(mailHref("info@joes.example"), "mailto:info@joes.example");
    assert.equal(mailHref("o'brien+web#1@joes.example"), "mailto:o'brien+web%231@joes.example");
    for (const email of [
      "a@b.example?bcc=c@d.example",
      "a@b.example,c@d.example",
      "a b@c.example",
      "a@b.example\r\nbcc:c",
      "<a@b.example>",
      "a",
      "a@b@c",
      "",
    ])
      assert.equal(mailHref(email), undefined, email);
  });
});

describe("text of a mock-up", () => {
  it("is cut between characters as a reader sees them", () => {
    assert.equal(clean("abc", 3), "abc");
    assert.equal(clean("abcd", 3), "ab…");
    assert.equal(clean("👨‍👩‍👧a👨‍👩‍👧b", 3), "👨‍👩‍👧a…");
    assert.equal(clean("  a\n\tb  ", 9), "a b");
  });

  it("gives the letters of a sign, whatever the name", () => {
    assert.equal(initials("Joe's Plumbing & Sons"), "JP");
    assert.equal(initials("'s"), "S");
    assert.equal(initials("’t Drankorgel"), "TD");
    assert.equal(initials("🍕"), "•");
    assert.equal(initials("مطعم الشرق"), "ما");
  });
});
