import type { Address } from "../leads/lead.ts";
import { type LineParts, parseAddressLine } from "./address-line.ts";
import { limits } from "./limits.ts";
import { countryCode, stateCode } from "./places.ts";
import { canadian, postalCode } from "./postal.ts";
import type { Findings, RawLead } from "./raw.ts";
import { splitUnit } from "./street.ts";
import { isBlank, isPlaceholder, readText, shown, typeName } from "./text.ts";

const partNames = ["street", "unit", "city", "state", "zip", "country"] as const;
type PartName = (typeof partNames)[number];

/**
 * The address from its parts (top-level fields or an object), from one line, or from both: a part that was told wins
 * over the line's. Undefined when it places nothing: a state or a country alone is no address.
 */
export function readAddress(raw: RawLead, region: string, findings: Findings): Address | undefined {
  const told: LineParts = {};
  for (const part of partNames) readPart(raw[part], part, part, told, findings);
  let line: string | undefined;
  if (typeof raw.address === "string") {
    line = readText(raw.address, "address", findings, { max: limits.addressLine, raw: true });
    if (line !== undefined && isPlaceholder(line.trim()))
      line = findings.drop("address", `${shown(line)} is not an address`);
  } else if (typeof raw.address === "object" && raw.address !== null && !Array.isArray(raw.address)) {
    for (const [key, value] of Object.entries(raw.address)) {
      const part = partNames.find((name) => name === key);
      if (!part) findings.drop(`address.${shownKey(key)}`, "is not a part of an address");
      else if (told[part] === undefined) readPart(value, `address.${part}`, part, told, findings);
    }
  } else if (!isBlank(raw.address)) {
    findings.drop("address", `must be text or an object, is ${typeName(raw.address)}`);
  }
  if (line === undefined && Object.keys(told).length === 0) return undefined;

  let country = told.country === undefined ? undefined : countryCode(told.country);
  if (told.country !== undefined && country === undefined)
    findings.drop("country", `${shown(told.country)} is not a country`);
  const parts: LineParts =
    line === undefined
      ? told
      : { ...parseAddressLine(line, { city: told.city, state: told.state, zip: told.zip, country }, region), ...told };
  country ??= (parts.country && countryCode(parts.country)) || impliedCountry(parts, region);
  return assemble(parts, country, findings);
}

function readPart(value: unknown, field: string, part: PartName, into: LineParts, findings: Findings): void {
  const text = readText(value, field, findings, { max: limits[part], numbers: part !== "city" && part !== "country" });
  if (text === undefined) return;
  if (isPlaceholder(text)) findings.drop(field, `${shown(text)} says nothing`);
  else into[part] = text;
}

/** Country of an address that names none: Canada where state or postal code can be nothing else, else the default. */
function impliedCountry(parts: LineParts, region: string): string {
  if (parts.zip !== undefined && canadian.test(parts.zip)) return "CA";
  const { state } = parts;
  if (region !== "US" || state === undefined) return region;
  return stateCode(state, "US") === undefined && stateCode(state, "CA") !== undefined ? "CA" : region;
}

function assemble(parts: LineParts, country: string, findings: Findings): Address | undefined {
  const address: Address = {};
  if (parts.street !== undefined) {
    const { street, unit } = splitUnit(parts.street);
    keep(address, "street", street, findings);
    const units = [unit, parts.unit].filter((text) => text !== undefined);
    if (units.length > 0) keep(address, "unit", [...new Set(units)].join(" "), findings);
  } else if (parts.unit !== undefined) keep(address, "unit", parts.unit, findings);
  if (parts.city !== undefined) keep(address, "city", parts.city.replace(/[\s,.]+$/, ""), findings);
  if (parts.state !== undefined) {
    const state = country === "US" || country === "CA" ? stateCode(parts.state, country) : parts.state;
    if (state === undefined) findings.drop("state", `${shown(parts.state)} is not a state of ${country}`);
    else keep(address, "state", state, findings);
  }
  if (parts.zip !== undefined) {
    const code = postalCode(parts.zip, country, address.state);
    if ("fault" in code) findings.drop("zip", code.fault);
    else keep(address, "zip", code.zip, findings);
  }
  if (address.street === undefined && address.city === undefined && address.zip === undefined) {
    if (Object.keys(address).length > 0)
      findings.drop("address", "places nothing without a street, a city or a postal code");
    return undefined;
  }
  address.country = country;
  return address;
}

function keep(address: Address, part: PartName, text: string, findings: Findings): void {
  if (text.length > limits[part])
    findings.drop(part, `has ${text.length} characters, at most ${limits[part]} are kept`);
  else if (isPlaceholder(text) || !/[\p{L}\p{N}]/u.test(text)) findings.drop(part, `${shown(text)} says nothing`);
  else address[part] = text;
}

const shownKey = (key: string) => (/^\w{1,40}$/.test(key) ? key : shown(key));
