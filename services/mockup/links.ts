import { parsePhoneNumberFromString } from "libphonenumber-js/min";

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

/** As people of the country write it. */
export function phoneText(phone: string): string {
  const number = parsePhoneNumberFromString(phone);
  return number ? (number.countryCallingCode === "1" ? number.formatNational() : number.formatInternational()) : phone;
}
