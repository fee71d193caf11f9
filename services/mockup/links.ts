import { parsePhoneNumberFromString } from "libphonenumber-js/min";

/** A web address that may stand in an href: http or https, without credentials. Anything else is undefined. */
export function webHref(url: string | undefined): string | undefined {
  if (!url || !URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  if (!/^https?:$/.test(parsed.protocol) || parsed.username !== "" || parsed.password !== "") return undefined;
  return parsed.href;
}

/** `tel:` for an E.164 number. */
export function phoneHref(phone: string | undefined): string | undefined {
  return phone !== undefined && /^\+[1-9]\d{5,14}$/.test(phone) ? `tel:${phone}` : undefined;
}

/** `mailto:` for a plain address; what could add headers or recipients is refused. */
export function mailHref(email: string | undefined): string | undefined {
  if (email === undefined || email.length > 254 || !/^[^\s@,;:<>()[\]"\\?&%]+@[\p{L}\p{N}.-]+$/u.test(email))
    return undefined;
  return `mailto:${encodeURI(email).replace("#", "%23")}`;
}

/** A search on a map: the address as text, no coordinates are known. */
export function mapHref(address: string): string {
  return `https://www.google.com/maps/search/?api=1&query=${encodeURIComponent(address)}`;
}

/** As people of the country write it. */
export function phoneText(phone: string): string {
  const number = parsePhoneNumberFromString(phone);
  return number ? (number.countryCallingCode === "1" ? number.formatNational() : number.formatInternational()) : phone;
}
