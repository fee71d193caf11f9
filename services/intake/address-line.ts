import { countryCode, stateCode } from "./places.ts";
import { british, canadian } from "./postal.ts";
import { isUnit, splitCity } from "./street.ts";
import { cleanText } from "./text.ts";

/** Parts of an address as they stand in one line; their values are not yet normalised. */
export interface LineParts {
  street?: string;
  unit?: string;
  city?: string;
  state?: string;
  zip?: string;
  country?: string;
}

/** What the lead says in fields of their own. */
interface Known {
  city?: string | undefined;
  state?: string | undefined;
  zip?: string | undefined;
  country?: string | undefined;
}

const countryAtEnd = /[\s,]+(u\.?s\.?a\.?|united states(?: of america)?|canada)\.?$/i;
/** After these words five digits are a road's or a box's number. */
const roadBefore = /\b(?:highway|hwy|route|rte|road|rd|box|cr|sr|fm|number|no)\.?\s*$/i;

/**
 * Takes a one-line address apart from its end: country, postal code, state, city; what is left is the street and its
 * unit. Line breaks, commas and semicolons part segments. It says nothing it cannot see: where no comma, state or
 * postal code marks a city, the whole line is the street.
 * `region`: the default country.
 */
export function parseAddressLine(text: string, known: Known, region: string): LineParts {
  const parts: LineParts = {};
  const segments = text
    .split(/[\n\r\u2028,;]+/)
    .map((segment) => cleanText(segment).replace(/^[.\s]+$/, ""))
    .filter((segment) => segment !== "");
  takeCountry(segments, parts, known, region);
  const country = known.country ?? parts.country ?? region;
  takePostalCode(segments, parts, country);
  takeState(segments, parts, country);
  takeCity(segments, parts, known.city, country);
  const units: string[] = [];
  // What stands before the house number is a department or a building.
  const house = segments.findIndex((segment) => /^\d|^p\.?\s?o\.?\s*box\b/i.test(segment) && !isFloor(segment));
  const at = Math.max(house, 0);
  segments.forEach((segment, n) => {
    if (n !== at) units.push(segment);
  });
  if (segments[at] !== undefined) parts.street = segments[at];
  if (units.length > 0) parts.unit = units.join(", ");
  return parts;
}

const isFloor = (segment: string) => isUnit(segment) && !/^p/i.test(segment);

function takeCountry(segments: string[], parts: LineParts, known: Known, region: string): void {
  const last = segments.at(-1);
  if (last === undefined) return;
  if (segments.length > 1 && last.length > 3 && stateCode(last, "US") === undefined) {
    const code = countryCode(last);
    if (code && (isAmerican(code) || !endsInCity(segments, known, region))) {
      parts.country = code;
      segments.pop();
      return;
    }
  }
  const match = countryAtEnd.exec(` ${last}`);
  if (match && (segments.length > 1 || match.index > 0)) {
    parts.country = countryCode(match[1]!)!;
    replaceLast(segments, ` ${last}`.slice(0, match.index));
  }
}

const isAmerican = (country: string) => country === "US" || country === "CA";

/**
 * Is what stands last a city, though countries are called so? Lebanon, PA and Peru, IL: the state that is told says it, with
 * the city or a ZIP code. (Italians have an MI as well.)
 */
function endsInCity(
  segments: readonly string[],
  { city, state = "", zip = "", country }: Known,
  region: string,
): boolean {
  if (!isAmerican(country ?? region) || (stateCode(state, "US") ?? stateCode(state, "CA")) === undefined) return false;
  if (city !== undefined) return city.toLowerCase() === segments.at(-1)!.toLowerCase();
  return segments.length === 2 && (/^\d{4,5}(?:-\d{4})?$/.test(zip.trim()) || canadian.test(zip));
}

function takePostalCode(segments: string[], parts: LineParts, country: string): void {
  const last = segments.at(-1);
  if (last === undefined) return;
  const us = /(?:^|\s)(\d{5})(?:-?\d{4}|-)?$/.exec(last);
  if (us && (country === "US" || country === "CA")) {
    const before = last.slice(0, us.index);
    if ((before === "" && segments.length === 1) || roadBefore.test(before)) return;
    parts.zip = us[1]!;
    replaceLast(segments, before);
    return;
  }
  const words = last.split(" ");
  for (const [count, form] of [
    [2, canadian],
    [1, canadian],
    [2, british],
    [1, british],
  ] as const) {
    const tail = words.slice(-count).join(" ");
    if (words.length < count || !form.test(tail)) continue;
    if (form === british && !["GB", "IM", "JE", "GG"].includes(country)) continue;
    parts.zip = tail.toUpperCase();
    if (form === canadian) parts.country ??= "CA";
    replaceLast(segments, words.slice(0, -count).join(" "));
    return;
  }
  // `96317 Kronach`, `1012 AB Amsterdam`, as most of Europe writes.
  const european = /^(?:[A-Z]{1,2}-)?(\d{4,5}(?: [A-Z]{2})?|\d{3} \d{2}|\d{2}-\d{3}) (\p{L}.*)$/u.exec(last);
  if (european && segments.length > 1 && country !== "US" && country !== "CA") {
    parts.zip = european[1]!;
    replaceLast(segments, european[2]!);
  }
}

function takeState(segments: string[], parts: LineParts, country: string): void {
  const last = segments.at(-1);
  if (last === undefined || (country !== "US" && country !== "CA")) return;
  const words = last.split(" ");
  for (let count = Math.min(3, words.length); count >= 1; count--) {
    const tail = words.slice(-count).join(" ");
    const code = stateCode(tail, country) ?? stateCode(tail, country === "US" ? "CA" : "US");
    // The city and its district, not a state of two words.
    if (code === undefined || /^washington dc$/i.test(tail.replace(/[.]/g, ""))) continue;
    const alone = count === words.length;
    // Without a postal code behind it a word at the end of the only segment may be a street's (`100 Main St NE`).
    const marked = parts.zip !== undefined ? !isDirection(code, parts.zip, alone) : segments.length > 1;
    const city = alone && segments.length === 1;
    // A lower-case `in`, `me`, `or` is a word; a long name alone in the last segment is more often the city (`New York`).
    if (!marked || city || (tail.length === 2 && tail !== tail.toUpperCase() && !alone)) return;
    if (alone && tail.length > 2 && parts.zip === undefined && segments.length === 2) return;
    parts.state = tail;
    replaceLast(segments, words.slice(0, -count).join(" "));
    return;
  }
}

/** `NE` before a postal code outside Nebraska is a direction. */
const isDirection = (code: string, zip: string, alone: boolean) => code === "NE" && !alone && !/^6[89]/.test(zip);

function takeCity(segments: string[], parts: LineParts, known: string | undefined, country: string): void {
  const last = segments.at(-1);
  if (last === undefined) return;
  const tail = known === undefined ? "" : ` ${known}`.toLowerCase();
  if (tail !== "" && ` ${last}`.toLowerCase().endsWith(tail)) {
    const before = last.slice(0, Math.max(0, last.length - known!.length));
    if (before !== "" || segments.length > 1) replaceLast(segments, before);
    return;
  }
  if (segments.length > 1) {
    if (!/\d/.test(last) && !isUnit(last) && last.split(" ").length <= 4) {
      parts.city = last;
      segments.pop();
    }
    return;
  }
  if (parts.state === undefined && parts.zip === undefined) return;
  if (!/\d/.test(last)) {
    parts.city = last;
    segments.pop();
  } else if (country === "US" || country === "CA") {
    const { street, city } = splitCity(last);
    if (city !== undefined) parts.city = city;
    segments[segments.length - 1] = street;
  }
}

function replaceLast(segments: string[], text: string): void {
  const trimmed = text.replace(/[\s,]+$/, "").trim();
  if (trimmed === "") segments.pop();
  else segments[segments.length - 1] = trimmed;
}
