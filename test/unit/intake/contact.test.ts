import assert from "node:assert/strict";
import { readEmail } from "../../../services/intake/email.ts";
import { readPhone } from "../../../services/intake/phone.ts";
import { readWebsite } from "../../../services/intake/website.ts";
import { accepted } from "./support.ts";

describe("intake: e-mail addresses", () => {
  const email = (text: string) => {
    const read = readEmail(text);
    return "email" in read ? read.email : undefined;
  };

  it("finds the address in what people write", () => {
    assert.equal(email("Joe.Smith+beer@Example.COM"), "joe.smith+beer@example.com");
    assert.equal(email("mailto:joe@example.com?subject=Hi"), "joe@example.com");
    assert.equal(email('"Smith, Joe" <joe@example.com>'), "joe@example.com");
    assert.equal(email("joe@example.com, ann@example.com"), "joe@example.com");
    assert.equal(email("not@valid; ann@example.com."), "ann@example.com");
    assert.equal(email("jos@m\u00fcnchen.de"), "jos@xn--mnchen-3ya.de");
    assert.equal(email("joe@test.example."), "joe@test.example");
  });

  it("takes nothing else for one", () => {
    for (const text of [
      "01/31/13",
      "No",
      "joe",
      "joe@",
      "@example.com",
      "joe@localhost",
      "joe..b@example.com",
      ".joe@exa mple",
      "joe@example..com",
      "joe@-example.com",
      "joe@1.2.3.4",
      "joe at example.com",
      `${"x".repeat(65)}@example.com`,
      `joe@${"x".repeat(64)}.com`,
      "j\u00f6e@example.com",
    ])
      assert.equal(email(text), undefined, text);
  });

  it("tells a role's address from a person's", () => {
    const role = (address: string) => (readEmail(address) as { role: boolean }).role;
    for (const address of ["info@x.com", "Sales.Team@x.com", "office2@x.com", "contact-us@x.com", "no-reply@x.com"])
      assert.equal(role(address), true, address);
    for (const address of ["ann@x.com", "mlarson@x.com", "joe.info@x.com", "ccclearningcenter78@x.com"])
      assert.equal(role(address), false, address);
  });

  it("tells disposable services, and hosts below them", () => {
    const disposable = (address: string) => (readEmail(address) as { disposable: boolean }).disposable;
    assert.equal(disposable("a@mailinator.com"), true);
    assert.equal(disposable("a@team.mailinator.com"), true);
    assert.equal(disposable("a@gmail.com"), false);
    assert.equal(disposable("a@mailinator.com.example"), false);
    const { fields } = accepted({ name: "A", email: "info@yopmail.com" });
    assert.deepEqual(fields, { name: "A", email: "info@yopmail.com", emailRole: true, emailDisposable: true });
  });
});

describe("intake: phone numbers", () => {
  const phone = (text: string, regions = ["US"], areaCode?: string) => {
    const read = readPhone(text, { regions, areaCode });
    return "phone" in read ? read.phone : undefined;
  };

  it("reads them as people and spreadsheets write them", () => {
    for (const text of [
      "3125550100",
      "(312) 555-0100",
      "312.555.0100",
      "1-312-555-0100",
      "+1 312 555 0100",
      "Tel: 312/555-0100".replace("/", "-"),
      "312-555-0100 ext. 12",
      "3125550100.0",
      "312-555-0100 / 312-555-0101",
      "555-01, 312-555-0100 or 312-555-0101",
    ])
      assert.equal(phone(text), "+13125550100", text);
    assert.equal(phone("1-800-FLOWERS"), "+18003569377");
    assert.equal(phone("+49 9261 628000"), "+499261628000");
  });

  it("takes seven digits with the area code that was given, and not without", () => {
    assert.equal(phone("386-5286", ["US"], "773"), "+17733865286");
    assert.equal(phone("3865286", ["US"], "773"), "+17733865286");
    assert.deepEqual(readPhone("3865286", { regions: ["US"] }), {
      fault: '"3865286" has no area code, and none was given for such numbers',
    });
    assert.equal(phone("3125550100", ["US"], "773"), "+13125550100");
  });

  it("parts numbers at a slash behind a whole one, and not behind an area code", () => {
    for (const text of ["312/555-0142", "312/555/0142", "312/555-0142 / 773/555-0100", "Tel/Fax: 312-555-0142"])
      for (const areaCode of [undefined, "773"]) assert.equal(phone(text, ["US"], areaCode), "+13125550142", text);
    assert.equal(phone("386-5286/386-5287", ["US"], "773"), "+17733865286");
    assert.equal(phone("030/1234567", ["DE"]), "+49301234567");
    assert.equal(phone("06241/849460", ["DE"]), "+496241849460");
    assert.equal(phone("01/4781234", ["AT"]), "+4314781234");
    assert.equal(phone("0316/834567", ["AT"]), "+43316834567");
    assert.equal(phone("1-800-FLOWERS/405-816-0490"), "+18003569377");
    for (const text of ["911/405-816-0490", "ext 5/405-816-0490"]) assert.equal(phone(text), "+14058160490", text);
  });

  it("cuts extensions, of seven digits too", () => {
    for (const text of ["386-5286 ext. 12", "386-5286 x12", "3865286 Extension 1234", "386-5286 #12", "#386-5286"])
      assert.equal(phone(text, ["US"], "773"), "+17733865286", text);
    assert.match(JSON.stringify(readPhone("386-5286 ext. 12", { regions: ["US"] })), /has no area code/);
  });

  it("reads a national number by the address's country first", () => {
    const { fields } = accepted({ name: "A", phone: "070-8872-1001", country: "South Korea", city: "Seoul" });
    assert.equal(fields.phone, "+827088721001");
    assert.equal(
      accepted({ name: "A", phone: "353599107299", country: "Ireland", city: "Cork" }).fields.phone,
      "+353599107299",
    );
    assert.equal(
      accepted({ name: "A", phone: "(416) 504-1060", country: "Canada", city: "Toronto" }).fields.phone,
      "+14165041060",
    );
  });

  it("drops what no telephone rings for", () => {
    for (const text of [
      "77352211561150",
      "7.73E+016",
      "0000000000",
      "1234567890",
      "911",
      "715842",
      "abc",
      "http://x.com/",
    ])
      assert.equal(phone(text, ["US"], "773"), undefined, text);
    assert.equal(accepted({ name: "A", phone: 3125550100 }).fields.phone, "+13125550100");
  });
});

describe("intake: web sites", () => {
  const site = (text: string) => {
    const read = readWebsite(text);
    return "website" in read ? `${read.website} ${read.domain}` : undefined;
  };

  it("makes a URL and a registrable domain of what people write", () => {
    const cases: Record<string, string> = {
      "www.chicagocommons.org": "http://www.chicagocommons.org/ chicagocommons.org",
      "Http://www.ColfaxAleCellar.com": "http://www.colfaxalecellar.com/ colfaxalecellar.com",
      "https://x.co.uk/a?b=1#top": "https://x.co.uk/a?b=1 x.co.uk",
      "http:/x.com": "http://x.com/ x.com",
      "http//x.com": "http://x.com/ x.com",
      "//x.com": "http://x.com/ x.com",
      "x.com:8080/a": "http://x.com:8080/a x.com",
      "shop.joes.example": "http://shop.joes.example/ joes.example",
      "example.com.": "http://example.com/ example.com",
      "m\u00fcnchen.de": "http://xn--mnchen-3ya.de/ xn--mnchen-3ya.de",
      "joes.blogspot.com": "http://joes.blogspot.com/ joes.blogspot.com",
      "http://192.168.1.10:81/x": "http://192.168.1.10:81/x 192.168.1.10",
      "http://[2001:db8::1]/": "http://[2001:db8::1]/ [2001:db8::1]",
      "www.a.com, www.b.com": "http://www.a.com/ a.com",
      "see www.a.com": "http://www.a.com/ a.com",
      "(www.a.com)": "http://www.a.com/ a.com",
    };
    for (const [text, expected] of Object.entries(cases)) assert.equal(site(text), expected, text);
  });

  it("drops what is none", () => {
    for (const text of [
      "Yes",
      "No",
      "N/A",
      "none",
      "n.a.",
      "-",
      "coming soon",
      "facebook",
      "http://yes",
      "http://localhost/",
      "http://pizzaandbrew@aol.com",
      "info@x.com",
      "http://joe:secret@x.com",
      "ftp://x.com",
      "javascript:alert(1).com",
      "file:///etc/passwd.txt",
      "data:text/html,x.y",
      "co.uk",
      "http://x..com",
      "5",
      "1.5",
      "http://2130706433/",
      "http://0x7f.1/",
      "773.555.0100",
      "www.x",
      `http://${"a".repeat(64)}.com`,
    ])
      assert.equal(site(text), undefined, text);
  });
});
