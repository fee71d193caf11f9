import { type Fault, type RawField, rawFields } from "./raw.ts";

/** Which columns (or, of NDJSON, which keys) tell which field; several are joined, for source keys. */
export type ColumnMap = ReadonlyMap<RawField, string>;

/** The mapping, the header or the file's form is wrong: nothing of it can be read. */
export class RowsError extends Error {
  readonly faults: Fault[];
  constructor(faults: Fault[]) {
    super(faults.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`)).join("; "));
    this.name = "RowsError";
    this.faults = faults;
  }
}

/** Spellings of common headers, lower-case letters and digits only; the first that a header has is taken. */
const aliases: { readonly [F in RawField]: string } = {
  name: "name company companyname business businessname sitename organization organisation organizationname accountname storename dba dbaname legalname title",
  email: "email emailaddress mail contactemail businessemail primaryemail email1",
  phone: "phone phonenumber telephone tel telephonenumber businessphone contactphone primaryphone phone1 mobile",
  website: "website websiteurl url web webaddress weburl homepage site siteurl domain",
  address: "address fulladdress formattedaddress location mailingaddress",
  street: "street address1 addressline1 streetaddress street1 streetline1",
  unit: "unit suite address2 addressline2 street2 apt",
  city: "city town locality municipality",
  state: "state stateprovince province region statecode stateabbr stateabbreviation",
  zip: "zip zipcode postalcode postcode zip5 zippostalcode",
  country: "country countrycode countryname",
  vertical: "vertical industry category businesstype",
  categories: "categories tags",
  reviewCount: "reviewcount reviews numreviews numberofreviews",
  rating: "rating stars averagerating",
  employeeCount: "employeecount employees numberofemployees headcount",
  revenue: "revenue annualrevenue",
  foundedYear: "foundedyear founded yearfounded established yearestablished",
  socialFollowers: "socialfollowers followers",
  multipleLocations: "multiplelocations",
  source: "source leadsource datasource",
  sourceId: "sourceid id externalid recordid sourcekey placeid uuid guid",
  trust: "trust",
  tier: "tier",
};

const key = (text: string) => text.toLowerCase().replace(/[^a-z0-9]+/g, "");

/**
 * Reads a mapping as people write it: `name=Site name,phone=Phone,sourceId=Source+Id`. A column whose name has a
 * comma stands in quotation marks. Throws one {@link RowsError} with all faults.
 */
export function parseMap(text: string): ColumnMap {
  const map = new Map<RawField, string>();
  const faults: Fault[] = [];
  for (const entry of text.match(/(?:"[^"]*"|[^,"])+/g) ?? []) {
    if (entry.trim() === "") continue;
    const equals = entry.indexOf("=");
    const field = entry.slice(0, equals < 0 ? undefined : equals).trim();
    const column =
      equals < 0
        ? ""
        : entry
            .slice(equals + 1)
            .trim()
            .replace(/^"(.*)"$/, "$1");
    if (!Object.hasOwn(rawFields, field))
      faults.push({ field, message: `is not a field of a lead (${Object.keys(rawFields).join(", ")})` });
    else if (column === "") faults.push({ field, message: "is mapped to no column; write field=Column" });
    else if (map.has(field as RawField)) faults.push({ field, message: "is mapped twice" });
    else map.set(field as RawField, column);
  }
  if (faults.length === 0 && map.size === 0) faults.push({ field: "map", message: "is empty; write field=Column,…" });
  if (faults.length > 0) throw new RowsError(faults);
  return map;
}

/** Which cells of a row tell which field. */
export type Reader = readonly { field: RawField; cells: readonly number[] }[];

/** Finds the columns of a header: those of the mapping, or, without one, those whose names are common. */
export function readerFor(header: readonly string[], map?: ColumnMap): Reader {
  const names = header.map((name) => name.trim());
  const keys = names.map(key);
  const listed = `the header has ${names.map((name) => JSON.stringify(name)).join(", ")}`;
  const find = (column: string) => {
    const exact = names.indexOf(column.trim());
    return exact >= 0 ? exact : key(column) === "" ? -1 : keys.indexOf(key(column));
  };
  if (!map) {
    const reader = Object.entries(aliases).flatMap(([field, spellings]) => {
      const at = spellings.split(" ").map((spelling) => keys.indexOf(spelling));
      const cell = at.find((n) => n >= 0);
      return cell === undefined ? [] : [{ field: field as RawField, cells: [cell] }];
    });
    if (!reader.some(({ field }) => field === "name"))
      throw new RowsError([
        {
          field: "name",
          message: `no column is known to be the name; say which with a mapping (name=Column): ${listed}`,
        },
      ]);
    return reader;
  }
  const faults: Fault[] = [];
  const reader = [...map].map(([field, column]) => {
    const whole = find(column);
    const cells = whole >= 0 ? [whole] : column.split("+").map(find);
    column.split("+").forEach((part, n) => {
      if (cells[n] === -1)
        faults.push({ field, message: `there is no column ${JSON.stringify(part.trim())}; ${listed}` });
    });
    return { field, cells };
  });
  if (!map.has("name")) faults.push({ field: "name", message: "the mapping names no column for it" });
  if (faults.length > 0) throw new RowsError(faults);
  return reader;
}

/**
 * Does it read ids, and nothing that tells the list they are of? Two lists that are numbered from 1 would be one. Joined
 * columns are taken to name it themselves.
 */
export function isOfUnknownList(reader: Reader): boolean {
  const ids = reader.find(({ field }) => field === "sourceId");
  return ids?.cells.length === 1 && !reader.some(({ field }) => field === "source");
}

/**
 * Values of joined columns as one key: `CPS_scrape.csv/1958`. A slash or percent sign inside a part is escaped, so that
 * no two lists of parts read alike. Undefined when a part is missing: half a key is none.
 */
export function joined(parts: readonly string[]): string | undefined {
  if (parts.some((part) => part.trim() === "")) return undefined;
  return parts.map((part) => part.trim().replace(/[%/]/g, (sign) => (sign === "%" ? "%25" : "%2F"))).join("/");
}
