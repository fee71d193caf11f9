import type { Trust, Warning } from "../leads/lead.ts";

/** What is wrong with a field: the reason of a refusal, or a warning that the lead keeps. */
export type Fault = Warning;

/** Every field that a lead may be told with. The reference in docs/intake.md names each of them, and so does /openapi.json. */
export const rawFields = {
  name: { type: "text", text: "Name of the business. Required." },
  email: { type: "text", text: "E-mail address." },
  phone: { type: "text", text: "Phone number as people write it; kept as E.164." },
  website: { type: "text", text: "Web address, with or without http://." },
  address: { type: "text or object", text: "One line, or an object of street, unit, city, state, zip, country." },
  street: { type: "text", text: "House number and street." },
  unit: { type: "text", text: "Suite, unit, floor." },
  city: { type: "text", text: "City." },
  state: { type: "text", text: "State or province, name or code." },
  zip: { type: "text", text: "Postal code." },
  country: { type: "text", text: "Country, name or ISO 3166-1 alpha-2." },
  vertical: { type: "text", text: "Line of business; kept as a lower-case slug." },
  categories: { type: "list of text", text: "Categories, a list or one text with commas or semicolons." },
  reviewCount: { type: "number", text: "Number of reviews." },
  rating: { type: "number", text: "Mean rating, 0 to 5." },
  employeeCount: { type: "number", text: "Number of employees." },
  revenue: { type: "number", text: "Revenue in USD a year." },
  foundedYear: { type: "number", text: "Year the business was founded." },
  socialFollowers: { type: "number", text: "Followers over all social networks." },
  multipleLocations: { type: "yes or no", text: "Whether it has more than one location." },
  source: { type: "text", text: "Where the lead comes from." },
  sourceId: { type: "text", text: "The source's own id: the same source and id again is the same lead." },
  trust: { type: "word", text: "How far the source is believed: manual, verified, google, yelp, scraped or imported." },
  tier: { type: "number", text: "How much is done for it, 1 to 3; absent: as its tenant has chosen, else 1." },
} as const;
export type RawField = keyof typeof rawFields;

/** A lead as told: nothing about its values is known yet. */
export type RawLead = { readonly [F in RawField]?: unknown };

export interface IntakeContext {
  tenant: string;
  /** Source of a lead that names none. */
  source: string;
  /** Trust of a lead that names none. */
  trust: Trust;
  /** ISO 3166-1 alpha-2: country of a phone number or an address that names none. */
  defaultRegion: string;
  /** Put before phone numbers of 7 digits. */
  areaCode?: string;
  /** Vertical of a lead that names none. */
  vertical?: string;
  /** Milliseconds since 1970: the lead's revision. */
  now: number;
  /** Id of a lead with neither source id nor idempotency key. */
  newId: () => string;
  idempotencyKey?: string;
}

/** Collects what is wrong. `fatal` faults refuse the lead; notes drop a field and become warnings unless the lead is refused for another reason. */
export class Findings {
  readonly fatal: Fault[] = [];
  readonly notes: Fault[] = [];
  refuse(field: string, message: string): undefined {
    this.fatal.push({ field, message });
  }
  drop(field: string, message: string): undefined {
    this.notes.push({ field, message });
  }
}
