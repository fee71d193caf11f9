import assert from "node:assert/strict";
import { Random } from "../../../bin/demo/random.ts";
import { decodePage } from "../../../services/site/charset.ts";
import { decodeProtectedEmail, readEmails, readPhones, readSocial } from "../../../services/site/contacts.ts";
import { extract } from "../../../services/site/extract.ts";
import { forUs, isAllowed } from "../../../services/site/facts.ts";
import { candidatesOf, siteOf } from "../../../services/site/site-of.ts";

const page = (html: string) => extract(html, "http://www.joe.com/", "US");

describe("reading a page", () => {
  it("takes title, description and language, tidied", () => {
    const seen = page(
      `<html lang="en_US"><title> Joe&amp;s \n Pizza </title><meta name="Description" content=" Best&#32;slices "><svg><title>icon</title></svg>`,
    );
    assert.deepEqual([seen.title, seen.description, seen.language], ["Joe&s Pizza", "Best slices", "en-US"]);
  });

  it("looks no further into a link than an address is long, and at no more of them than at others", () => {
    const seen = page(
      `<a href="mailto:${"a".repeat(1_500_000)}@joe.com">${'<a href="mailto:info@joe.com">'.repeat(5_000)}`,
    );
    assert.deepEqual(seen.emails, ["info@joe.com"]);
  });

  it("leaves out what the page does not say", () => {
    const seen = page("<p>hello");
    assert.ok(!("title" in seen) && !("description" in seen) && !("language" in seen));
  });

  it("knows a contact form from a log-in, a search and a newsletter box", () => {
    assert.equal(page(`<form><input name=n><input type=email><input type=submit></form>`).contactForm, true);
    assert.equal(page(`<form><textarea></textarea></form>`).contactForm, true);
    assert.equal(page(`<iframe src="https://form.jotform.com/123"></iframe>`).contactForm, true);
    assert.equal(page(`<form><input name=user><input type=email><input type=password></form>`).contactForm, false);
    assert.equal(page(`<form><input type=search name=q></form><form><input type=email></form>`).contactForm, false);
  });

  it("knows a mobile viewport from a meta tag of that name", () => {
    assert.equal(page(`<meta name="viewport" content="width=device-width">`).viewport, true);
    assert.equal(page(`<meta name="viewport" content="">`).viewport, false);
  });

  it("counts the distinct pages of its own site", () => {
    const links = [
      "/",
      "/menu",
      "/menu#top",
      "menu?x=1",
      "https://joe.com/about",
      "https://other.com/x",
      "mailto:a@b.co",
      "tel:1",
      "/a.pdf",
      "#x",
      "javascript:void(0)",
    ];
    assert.equal(page(links.map((l) => `<a href="${l}">x</a>`).join("")).pageCount, 3);
  });

  it("takes pages for outdated by what they are built of, not by one stray tag", () => {
    for (const html of [
      `<marquee>hi</marquee>`,
      `<frameset></frameset>`,
      `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN">`,
      `<table><tr><td><table cellspacing=0><tr><td><font>x</font></table></table>`,
    ])
      assert.equal(page(html).outdated, true, html);
    for (const html of [
      `<!doctype html><center>x</center>`,
      `<!doctype html><table><tr><th>Mon</th></tr></table>`,
      `<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">`,
    ])
      assert.equal(page(html).outdated, false, html);
  });

  it("reads a megabyte of garbage without throwing", () => {
    for (const piece of [
      "<",
      "<a ",
      "<table>",
      "&#x110000;",
      "\u0000<!--",
      "@@@",
      "<form><textarea>",
      "555-",
      "<!doctype ",
    ])
      assert.ok(page(piece.repeat(1_000_000 / piece.length)).pageCount >= 1, piece);
  });
});

describe("contacts of a page", () => {
  it("takes e-mail addresses from links and text, without files and placeholders", () => {
    const text = "Write to Info@Joe.com or joe@gmail.com, not logo@2x.png, you@example.com or a1b2@sentry.io";
    assert.deepEqual(readEmails(["sales@joe.com"], text), ["sales@joe.com", "info@joe.com", "joe@gmail.com"]);
  });

  it("reads addresses that Cloudflare hides", () => {
    const hidden = [0x42, ...Buffer.from("hi@joe.com").map((b) => b ^ 0x42)]
      .map((b) => b.toString(16).padStart(2, "0"))
      .join("");
    assert.equal(decodeProtectedEmail(hidden), "hi@joe.com");
    assert.deepEqual(page(`<a href="/cdn-cgi/l/email-protection" data-cfemail="${hidden}">[hidden]</a>`).emails, [
      "hi@joe.com",
    ]);
  });

  it("takes phone numbers as E.164, and neither dates, prices nor long ids", () => {
    const text =
      "Call (312) 555-0147 or 773.555.0188, +44 20 7946 0958. Since 2019-04-01; $1,200.00; order 3125550147123456";
    assert.deepEqual(readPhones(["+1-312-555-0100"], text, "US"), [
      "+13125550100",
      "+13125550147",
      "+17735550188",
      "+442079460958",
    ]);
  });

  it("takes profiles, not share buttons", () => {
    const links = [
      "https://www.facebook.com/sharer/sharer.php?u=x",
      "https://facebook.com/joes?ref=1",
      "//instagram.com/joes/",
      "https://twitter.com/intent/tweet",
      "https://x.com/joes",
      "https://www.linkedin.com/company/joes",
    ];
    assert.deepEqual(readSocial(links), {
      facebook: "https://facebook.com/joes",
      instagram: "https://instagram.com/joes",
      x: "https://x.com/joes",
      linkedin: "https://www.linkedin.com/company/joes",
    });
  });
});

describe("a page's character set", () => {
  const bytes = (text: string, encoding: BufferEncoding) => Buffer.from(text, encoding);
  it("is that of the mark, before the header's, before the meta tag's", () => {
    assert.equal(
      decodePage(Buffer.concat([Buffer.from([0xff, 0xfe]), bytes("é", "utf16le")]), "text/html; charset=latin1"),
      "é",
    );
    assert.equal(decodePage(bytes("é", "latin1"), "text/html; charset=ISO-8859-1"), "é");
    assert.match(decodePage(bytes(`<meta charset=windows-1252>é`, "latin1"), "text/html"), /é$/);
    assert.match(decodePage(bytes(`<meta charset=utf-16>é`, "utf8"), undefined), /é$/);
  });
  it("is UTF-8 where nothing is said and it is that, else windows-1252", () => {
    assert.equal(decodePage(bytes("é", "utf8"), undefined), "é");
    assert.equal(decodePage(Buffer.from([0x93, 0xe9, 0x94]), undefined), "“é”");
    assert.equal(decodePage(bytes("é", "utf8"), "text/html; charset=no-such-thing"), "é");
  });
});

describe("which site a web address is", () => {
  it("does not depend on scheme, www or page", () => {
    const keys = ["http://www.joe.com/menu", "https://joe.com", "http://JOE.com/?x=1"].map((u) => siteOf(u)!.key);
    assert.deepEqual(keys, ["joe.com", "joe.com", "joe.com"]);
  });
  it("keeps the page where a host is many businesses'", () => {
    assert.equal(siteOf("https://www.facebook.com/joes/")!.key, "facebook.com/joes");
    assert.notEqual(siteOf("https://linktr.ee/a")!.key, siteOf("https://linktr.ee/b")!.key);
  });
  it("is tried over TLS first, and with www only for a bare domain", () => {
    assert.deepEqual(candidatesOf(siteOf("http://joe.com")!), [
      "https://joe.com/",
      "https://www.joe.com/",
      "http://joe.com/",
      "http://www.joe.com/",
    ]);
    assert.deepEqual(candidatesOf(siteOf("http://shop.joe.com")!), ["https://shop.joe.com/", "http://shop.joe.com/"]);
    assert.deepEqual(candidatesOf(siteOf("http://8.8.8.8")!), ["https://8.8.8.8/", "http://8.8.8.8/"]);
  });
  it("is a page of its own, by path and query, where the host is a platform's", () => {
    const keys = [
      "https://www.etsy.com/shop/joe",
      "https://facebook.com/profile.php?id=1",
      "https://joe.wordpress.com/a",
    ];
    assert.deepEqual(
      keys.map((address) => siteOf(address)!.key),
      ["etsy.com/shop/joe", "facebook.com/profile.php?id=1", "joe.wordpress.com"],
    );
  });
  it("is none for what is no web address", () => {
    for (const text of ["", "yes", "ftp://joe.com", "http://"]) assert.equal(siteOf(text), null, text);
  });
});

describe("robots.txt", () => {
  it("is obeyed, our name before the star; one whose server failed allows nothing", () => {
    assert.equal(isAllowed("User-agent: *\nDisallow: /", "http://joe.com/"), false);
    assert.equal(
      isAllowed("User-agent: *\nDisallow: /\n\nUser-agent: LeadFactoryBot\nAllow: /", "http://joe.com/"),
      true,
    );
    assert.equal(isAllowed("User-agent: *\nDisallow: /private", "http://joe.com/"), true);
    assert.equal(isAllowed("", "http://joe.com/"), true);
    assert.equal(isAllowed(null, "http://joe.com/"), false);
  });

  it("says the same to us when what is for others was left out", () => {
    const lines = [
      ...[
        "User-agent: *",
        "user-agent:LeadFactoryBot/1.0",
        "User-Agent: other # or so",
        "User-agent:",
        "Sitemap: /s.xml",
      ],
      ...[
        "Disallow: /",
        "Allow: /a",
        "disallow:/a/b",
        "Disallow:",
        "Allow: /*.html$",
        "Disallow: /a*b # no",
        "nonsense",
        "",
      ],
    ];
    const paths = ["/", "/a", "/a/b", "/a/x/b", "/b.html", "/a/b.html"];
    for (let seed = 0; seed < 2_000; seed++) {
      const random = new Random(`robots ${seed}`);
      const text = Array.from({ length: random.whole(0, 14) }, () => random.pick(lines)).join(
        random.pick(["\n", "\r\n"]),
      );
      for (const path of paths) {
        const url = `http://joe.com${path}`;
        assert.equal(isAllowed(forUs(text), url), isAllowed(text, url), `${path} of\n${text}`);
      }
    }
  });

  it("costs no more than its length, whatever it holds, and allows nothing where it would take long to weigh", () => {
    const everyone = "user-agent:*\n".repeat(18_000) + "allow:/\n".repeat(30_000);
    const kept = forUs(everyone);
    assert.ok(kept.length < everyone.length);
    assert.equal(kept.match(/User-agent/g)!.length, 1);
    assert.equal(forUs(`user-agent: other\n${"allow:/\n".repeat(30_000)}`), "");
    assert.equal(
      isAllowed(
        forUs(`user-agent: *\nallow: /\n${`disallow: /${"*a".repeat(1_000)}\n`.repeat(100)}`),
        "http://joe.com/",
      ),
      false,
    );
  });
});
