import assert from "node:assert/strict";
import type { Address } from "../../../services/leads/lead.ts";
import { accepted, fieldsOf } from "./support.ts";

const read = (raw: object, region = "US") => {
  const { fields, warnings } = accepted({ name: "A", phone: "+13125550100", ...raw }, { defaultRegion: region });
  return { address: fields.address, warnings: fieldsOf(warnings) };
};
const line = (address: string, region = "US") => read({ address }, region).address;

describe("intake: an address in one line", () => {
  const us = (parts: Address): Address => ({ ...parts, country: "US" });
  const cases: [string, Address][] = [
    ["27 Washington Oak Park IL 60302", us({ street: "27 Washington", city: "Oak Park", state: "IL", zip: "60302" })],
    ["221 E. 51st St. ", us({ street: "221 E. 51st St." })],
    [
      "1745 N. Orchard St. Chicago, IL 60614",
      us({ street: "1745 N. Orchard St.", city: "Chicago", state: "IL", zip: "60614" }),
    ],
    [
      "14424 Wentworth Ave\nRiverdale, IL  60827\n",
      us({ street: "14424 Wentworth Ave", city: "Riverdale", state: "IL", zip: "60827" }),
    ],
    [
      "520 North Halsted Street Suite 412\nChicago",
      us({ street: "520 North Halsted Street", unit: "Suite 412", city: "Chicago" }),
    ],
    [
      "155 North 3rd Street\nSuite 300\nDeKalb",
      us({ street: "155 North 3rd Street", unit: "Suite 300", city: "DeKalb" }),
    ],
    [
      "541 East North Street\nP.O. Box 172\nGeneseo",
      us({ street: "541 East North Street", unit: "P.O. Box 172", city: "Geneseo" }),
    ],
    ["P.O. Box 1128\nLake Villa", us({ street: "P.O. Box 1128", city: "Lake Villa" })],
    ["Hayes Center\n4859 S. Wabash\n", us({ street: "4859 S. Wabash", unit: "Hayes Center" })],
    [
      "7411 South Cottage Grove Ave. Ground Floor ",
      us({ street: "7411 South Cottage Grove Ave.", unit: "Ground Floor" }),
    ],
    ["10 W 35TH ST 15TH FLOOR ", us({ street: "10 W 35TH ST", unit: "15TH FLOOR" })],
    ["5700 S ASHLAND AVE 1ST FL ", us({ street: "5700 S ASHLAND AVE", unit: "1ST FL" })],
    ["1001 W ROOSEVELT RD 606 ", us({ street: "1001 W ROOSEVELT RD", unit: "606" })],
    ["4941 W Chicago Ave ", us({ street: "4941 W Chicago Ave" })],
    ["489-27th Street, East Moline", us({ street: "489-27th Street", city: "East Moline" })],
    [
      "123 Main St, Suite 4, Springfield, Illinois, 62701-1234, USA",
      us({ street: "123 Main St", unit: "Suite 4", city: "Springfield", state: "IL", zip: "62701" }),
    ],
    ["500 Olive St St Louis MO 63101", us({ street: "500 Olive St", city: "St Louis", state: "MO", zip: "63101" })],
    [
      "100 Park Ave South Orange NJ 07079",
      us({ street: "100 Park Ave", city: "South Orange", state: "NJ", zip: "07079" }),
    ],
    [
      "8658 S Cottage Grove Ave Chicago IL 60619",
      us({ street: "8658 S Cottage Grove Ave", city: "Chicago", state: "IL", zip: "60619" }),
    ],
    [
      "123 Main St NE Washington DC 20002",
      us({ street: "123 Main St NE", city: "Washington", state: "DC", zip: "20002" }),
    ],
    [
      "1234 Martin Luther King Chicago IL 60653",
      us({ street: "1234 Martin Luther King", city: "Chicago", state: "IL", zip: "60653" }),
    ],
    ["Chicago, IL", us({ city: "Chicago", state: "IL" })],
    ["123 Main St, New York", us({ street: "123 Main St", city: "New York" })],
    ["4500 County Road 10001", us({ street: "4500 County Road 10001" })],
    [
      "111 Wellington St, Ottawa, ON K1A 0A9, Canada",
      { street: "111 Wellington St", city: "Ottawa", state: "ON", zip: "K1A 0A9", country: "CA" },
    ],
    [
      "111 Wellington St, Ottawa, Ontario k1a0a9",
      { street: "111 Wellington St", city: "Ottawa", state: "ON", zip: "K1A 0A9", country: "CA" },
    ],
    [
      "Friesener Stra\u00dfe 1, 96317 Kronach, Germany",
      { street: "Friesener Stra\u00dfe 1", city: "Kronach", zip: "96317", country: "DE" },
    ],
    [
      "10 Downing Street, London SW1A 2AA, England",
      { street: "10 Downing Street", city: "London", zip: "SW1A 2AA", country: "GB" },
    ],
  ];
  for (const [text, expected] of cases)
    it(`reads ${JSON.stringify(text)}`, () => assert.deepEqual(line(text), expected));

  it("takes the default country where none is named", () => {
    assert.deepEqual(line("Hauptstr. 5, 10115 Berlin", "DE"), {
      street: "Hauptstr. 5",
      city: "Berlin",
      zip: "10115",
      country: "DE",
    });
  });

  it("drops what is no address", () => {
    for (const text of ["N/A", "-", "unknown", ", ,", "IL"])
      assert.equal(line(text)?.street ?? "none", text === "IL" ? "IL" : "none", text);
  });
});

describe("intake: an address in parts", () => {
  it("lets parts win over the line, and takes a city that is told off its end", () => {
    const { address } = read({ address: "1248 West 69th Street Chicago", city: "Chicago", zip: "60636-1111" });
    assert.deepEqual(address, { street: "1248 West 69th Street", city: "Chicago", zip: "60636", country: "US" });
    assert.equal(read({ address: "1 Main St, Elgin, IL 60120", city: "Chicago" }).address?.city, "Chicago");
    assert.deepEqual(
      read({ address: { street: "1 Main St", city: "Elgin" }, city: "Chicago" }).address?.city,
      "Chicago",
    );
  });

  it("takes a city that is called like a country for one where the state is told", () => {
    const us = (address: Address): Address => ({ ...address, country: "US" });
    assert.deepEqual(
      read({ address: "12 Cumberland St, Lebanon", city: "Lebanon", state: "PA", zip: "17042-1234" }).address,
      us({ street: "12 Cumberland St", city: "Lebanon", state: "PA", zip: "17042" }),
    );
    assert.deepEqual(
      read({ address: "100 Main St, Peru", state: "IL", zip: "61354" }).address,
      us({ street: "100 Main St", city: "Peru", state: "IL", zip: "61354" }),
    );
    assert.deepEqual(
      read({ address: "1 Main St, Norway", state: "Maine", zip: "4268" }).address,
      us({ street: "1 Main St", city: "Norway", state: "ME", zip: "04268" }),
    );
    for (const [address, country] of [
      ["100 Main St, Austin, USA", "US"],
      ["100 Main St Austin, USA", "US"],
      ["1 High St, Perth, Australia", "AU"],
    ] as const)
      assert.equal(read({ address, state: "WA" }).address?.country, country, address);
    assert.equal(read({ address: "1 High St, Perth, Australia", city: "Perth", state: "WA" }).address?.country, "AU");
    assert.equal(read({ address: "1 Raffles Place, Singapore", city: "Singapore" }).address?.country, "SG");
    assert.equal(read({ address: "Via Roma 1, Italy", state: "MI" }).address?.country, "IT");
    assert.equal(
      read({ address: "Via Roma 1, Italy", state: "MI", zip: "20121", country: "IT" }).address?.city,
      undefined,
    );
  });

  it("takes the unit out of the street", () => {
    for (const [street, bare, unit] of [
      ["407 Radam Ln Ste F200", "407 Radam Ln", "Ste F200"],
      ["1050 N Fairway Dr Bldg F Ste 10", "1050 N Fairway Dr", "Bldg F Ste 10"],
      ["5975 Exchange Dr Suite H-L", "5975 Exchange Dr", "Suite H-L"],
      ["7876 Birch Bay Dr #101", "7876 Birch Bay Dr", "#101"],
      ["320 Broadway, Unit E", "320 Broadway", "Unit E"],
    ]) {
      const { address } = read({ street, city: "Austin" });
      assert.deepEqual([address?.street, address?.unit], [bare, unit]);
    }
    assert.equal(read({ street: "1174 SW Highway 99W", city: "Dundee" }).address?.unit, undefined);
    assert.equal(read({ street: "781 Old Highway 8 SW", city: "X" }).address?.unit, undefined);
    assert.equal(read({ street: "12 County Road 606", city: "X" }).address?.unit, undefined);
    assert.equal(read({ street: "1 Main St Ste 5", unit: "Ste 5", city: "X" }).address?.unit, "Ste 5");
  });

  it("writes states as codes, and drops those that are none of the country", () => {
    assert.equal(read({ city: "Norman", state: "Oklahoma" }).address?.state, "OK");
    assert.equal(read({ city: "Norman", state: "ok" }).address?.state, "OK");
    assert.equal(read({ city: "Washington", state: "D.C." }).address?.state, "DC");
    assert.deepEqual(read({ city: "Montr\u00e9al", state: "Qu\u00e9bec", country: "Canada" }).address, {
      city: "Montr\u00e9al",
      state: "QC",
      country: "CA",
    });
    assert.deepEqual(read({ city: "Toronto", state: "Ontario" }).address, {
      city: "Toronto",
      state: "ON",
      country: "CA",
    });
    assert.deepEqual(read({ city: "Kronach", state: "Bayern", country: "Germany" }).address, {
      city: "Kronach",
      state: "Bayern",
      country: "DE",
    });
    assert.deepEqual(read({ city: "X", state: "Bayern" }).warnings, ["state"]);
  });

  it("cuts postal codes to what the country has", () => {
    const zip = (value: unknown, more = {}) => read({ city: "X", zip: value, ...more }).address?.zip;
    assert.equal(zip("60614-1234"), "60614");
    assert.equal(zip("606141234"), "60614");
    for (const mangled of ["60614-", "-60614", "60614-97ND"]) assert.equal(zip(mangled), "60614");
    for (const wrong of ["606140", "6061", "A60614", "60614x"]) assert.equal(zip(wrong), undefined, wrong);
    assert.equal(zip(60614), "60614");
    assert.equal(zip("60614.0"), "60614");
    assert.equal(zip("2134", { state: "MA" }), "02134");
    assert.equal(zip("2134", { state: "IL" }), undefined);
    assert.deepEqual(read({ city: "X", zip: "6100" }).warnings, ["zip"]);
    assert.equal(zip("m5v2t6", { country: "Canada" }), "M5V 2T6");
    assert.equal(zip("1012 AB", { country: "Netherlands" }), "1012 AB");
  });

  it("knows countries by their names and codes", () => {
    const country = (value: string) => read({ city: "X", country: value }).address?.country;
    for (const [name, code] of [
      ["United States", "US"],
      ["usa", "US"],
      ["England", "GB"],
      ["Scotland", "GB"],
      ["Isle of Man", "IM"],
      ["South Korea", "KR"],
      ["Ukraine", "UA"],
      ["Deutschland", "DE"],
      ["de", "DE"],
      ["The Netherlands", "NL"],
      ["C\u00f4te d\u2019Ivoire", "CI"],
      ["T\u00fcrkiye", "TR"],
    ] as const)
      assert.equal(country(name), code, name);
    assert.deepEqual(read({ city: "X", country: "Atlantis" }), {
      address: { city: "X", country: "US" },
      warnings: ["country"],
    });
  });

  it("says what it drops: unknown parts, wrong types, an address that places nothing", () => {
    assert.deepEqual(read({ address: { stret: "1 Main St", city: "X", zip: {} } }).warnings, [
      "address.stret",
      "address.zip",
    ]);
    assert.deepEqual(read({ state: "IL", country: "US" }), { address: undefined, warnings: ["address"] });
    assert.deepEqual(read({ address: 5 }).warnings, ["address"]);
    assert.deepEqual(read({ city: "x".repeat(101) }).warnings, ["city"]);
  });
});
