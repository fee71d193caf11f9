import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from "libphonenumber-js/min";
import { shown } from "./text.ts";

// The `min` metadata (80 kB) checks a number against its country's general pattern: 7.5 us a parse; `max` 8.4 us.

export interface PhoneContext {
  /** Regions tried in order, ISO 3166-1 alpha-2: the address's country, then the default. */
  regions: readonly string[];
  /** Put before numbers of 7 digits. */
  areaCode?: string | undefined;
}

/** What parts two numbers. A slash does so behind seven digits: with fewer before it they are the area code, `030/1234567`. */
const between = /[;,|]|(?<=(?:\d[^\d;,|]*){7})\/|\bor\b/i;
const anySlash = /[/;,|]|\bor\b/i;
const extension = /(?<=\d)\s*(?:ext(?:ension)?|x|#)\.?\s*\d{1,6}$/i;

/** The letters of a telephone's keys (ITU-T E.161). */
const keys = "22233344455566677778889999";

/** `1-800-FLOWERS` -> `1-800-3569377`: one run of capital letters that completes the number. */
function dialled(text: string): string {
  const match = /^([+\d\s().-]*\d[\s().-]*)([A-Z][A-Z-]{2,9})$/.exec(text);
  return match ? match[1]! + match[2]!.replace(/[A-Z]/g, (letter) => keys[letter.charCodeAt(0) - 65]!) : text;
}

/**
 * The first valid number in a text, as E.164; extensions are cut. A number that its country's numbering plan does not
 * know is no number: it is dropped rather than dialled.
 */
export function readPhone(text: string, context: PhoneContext): { phone: string } | { fault: string } {
  const whole = text.replace(/^(?:tel|phone|ph|telephone|mobile|cell|office)[.:\s]+/i, "");
  let seven = false;
  // Where no part is a number, every slash parts them: `1-800-FLOWERS/405-816-0490`. What is short then may be the rest of one.
  const parts = whole.split(between).map((text) => ({ text, areaCode: context.areaCode }));
  if (whole.includes("/")) parts.push(...whole.split(anySlash).map((text) => ({ text, areaCode: undefined })));
  for (const { text: part, areaCode } of parts) {
    // A spreadsheet's decimals: `4058160490.0`.
    const bare = part.trim().replace(/^(\d{6,})\.0+$/, "$1");
    const number = dialled(bare.replace(extension, ""));
    const digits = number.replace(/\D/g, "");
    if (digits.length < 6 || /^\d\.\d+e\+?\d+$/i.test(number)) continue;
    const local = digits.length === 7 && !number.startsWith("+");
    if (local && context.areaCode === undefined) seven = true;
    const dial = local && areaCode !== undefined ? areaCode + digits : number;
    for (const region of context.regions) {
      if (!isSupportedCountry(region)) continue;
      const parsed = parsePhoneNumberFromString(dial, region as CountryCode);
      if (parsed?.isValid()) return { phone: parsed.number };
    }
  }
  return {
    fault: seven
      ? `${shown(text)} has no area code, and none was given for such numbers`
      : `${shown(text)} is not a phone number`,
  };
}
