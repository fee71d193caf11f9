import type { Lead } from "../leads/lead.ts";
import { phoneText } from "./links.ts";
import { siteText } from "./site-text.ts";
import { plainWords } from "./words.ts";

/** What is known of a lead, as far as a text may say it: everything else would be made up. */
export interface Known {
  /** All of it, in plain words ({@link plainWords}). */
  words: string;
  numbers: ReadonlySet<string>;
  /** Digits of its telephone number, with the country's. */
  phone: string;
  email: string;
  domain: string;
}

export function knownOf(lead: Lead): Known {
  const { fields } = lead;
  const { title, description } = siteText(lead);
  const { street, unit, city, state, zip } = fields.address ?? {};
  const said = [
    fields.name,
    fields.vertical,
    ...(fields.categories ?? []),
    street,
    unit,
    city,
    state,
    zip,
    title,
    description,
  ];
  const figures = [fields.foundedYear, fields.reviewCount, fields.rating?.toFixed(1), fields.rating];
  const text = [...said, ...figures].filter((part) => part !== undefined && part !== "").join(" · ");
  const phone = fields.phone ?? "";
  const words = plainWords([text, phone && phoneText(phone), fields.email, fields.domain].join(" · "));
  return {
    words,
    numbers: new Set(numbersIn(plainWords(text))),
    phone: phone.replace(/\D/g, ""),
    email: (fields.email ?? "").toLowerCase(),
    domain: (fields.domain ?? "").toLowerCase(),
  };
}

/** The numbers of a text, 1,213 as 1213. */
export function numbersIn(text: string): string[] {
  return (text.match(/\d+(?:[.,]\d+)*/g) ?? []).map((number) => number.replace(/,(?=\d{3}\b)/g, ""));
}
