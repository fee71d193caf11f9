import { shown } from "./text.ts";

/** States whose postal codes begin with 0, which spreadsheets cut. */
const zeroStates = new Set(["CT", "MA", "ME", "NH", "NJ", "PR", "RI", "VI", "VT"]);
export const canadian = /^([A-Z]\d[A-Z])[ -]?(\d[A-Z]\d)$/i;
/** Forms of British postal codes, with or without the space. */
export const british = /^([A-Z]{1,2}\d[A-Z\d]?) ?(\d[A-Z]{2})$/i;

/**
 * A postal code as its country writes it: five digits in the US (ZIP+4 is cut, whole or mangled; a leading zero that a spreadsheet lost
 * comes back where the state's codes begin with one), `K1A 0B1` in Canada, as given elsewhere.
 */
export function postalCode(text: string, country: string, state?: string): { zip: string } | { fault: string } {
  if (country === "US") {
    const digits = /^-?(\d{5})(?:-\w{0,4}| ?\d{4})?$/.exec(text.replace(/\.0$/, ""))?.[1];
    if (digits) return { zip: digits };
    if (/^\d{4}$/.test(text) && state !== undefined && zeroStates.has(state)) return { zip: `0${text}` };
    return { fault: `${shown(text)} is not a US postal code` };
  }
  if (country === "CA") {
    const parts = canadian.exec(text);
    return parts
      ? { zip: `${parts[1]} ${parts[2]}`.toUpperCase() }
      : { fault: `${shown(text)} is not a Canadian postal code` };
  }
  return { zip: text };
}
