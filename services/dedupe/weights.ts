/**
 * How much each level of agreement says, in bits: log2(m / u), where m is how often two tellings of one business show
 * the level and u how often those of two businesses do that share a blocking key or stand in one list (Fellegi & Sunter
 * 1969, "A Theory for Record Linkage"; levels of partial agreement as Winkler 1990 and the Splink project describe).
 *
 * The figures are rounded estimates, set once by hand and the same for every tenant: nothing is learned from what is on
 * record, so that no order matters. Fields are not independent, as the model assumes; where that would mislead, a level
 * says so: a chain's domain, e-mail address and phone are one piece of evidence, not three, and none of its places.
 */
const bits = (m: number, u: number) => ({ m, u, weight: Math.log2(m / u) });

export const levels = {
  /** The source's own key: certain, whatever else the tellings say. */
  source_same: bits(1, 1e-9),

  /** Name: same words, one of them rare. Chains make u what it is. */
  name_same: bits(0.35, 0.002),
  /** The same, but of words such as "day care center", that others in the list have too. */
  name_same_common: bits(0.05, 0.01),
  /** Most of the words' weight agree, or all but a slip. */
  name_close: bits(0.15, 0.001),
  /** One name holds the other: "Hinton" and "Public Schools Hinton, William". Also an organisation and its branch. */
  name_part: bits(0.25, 0.006),
  /** One rare word in common. */
  name_word: bits(0.12, 0.015),
  /** Common words alone. */
  name_common: bits(0.12, 0.12),
  /** "Little Stars 1" and "Little Stars 2". */
  name_numbered: bits(0.05, 0.4),
  name_other: bits(0.06, 0.85),

  /** Number and street. Businesses of one building make u what it is. */
  address_same: bits(0.85, 0.0008),
  /** The same number, the street with a slip or the other direction. */
  address_close: bits(0.08, 0.0008),
  /** One slip in the number: "1124" and "1134" may be a slip, or neighbours. */
  number_slip: bits(0.01, 0.01),
  /** Within twenty numbers: a corner, or the next house. */
  number_near: bits(0.003, 0.05),
  /** What is told of two places is not of one business: a lead is a place that can be visited and written to. */
  street_other: bits(0.002, 0.3),
  number_other: bits(0.0007, 0.6),
  address_other: bits(0.001, 0.95),
  /** At one address only; an equal one beside names that differ says nothing. Suites move, and lists leave them out. */
  unit_same: bits(0.7, 0.2),
  unit_other: bits(0.2, 0.6),

  /** Beside an equal address the zip says little more. */
  zip_same: bits(0.9, 0.4),
  /** Where an address is not told. */
  zip_alone: bits(0.9, 0.11),
  zip_near: bits(0.08, 0.3),
  zip_other: bits(0.02, 0.5),
  city_same: bits(0.95, 0.7),
  city_other: bits(0.05, 0.4),

  /** An organisation's phone stands at all its places. */
  phone_same: bits(0.7, 0.0015),
  /** The area code differs: lists leave it out, and it is put before by a guess. */
  phone_local: bits(0.05, 0.0001),
  /** Of more leads than a key is walked for: with an equal name still the same, so that growing so changes little. */
  phone_crowded: bits(0.7, 0.12),
  phone_slip: bits(0.05, 0.01),
  /** Businesses have several. */
  phone_other: bits(0.2, 0.6),
  /** Beside names that share common words at the most: "Hair Salon" and "Nail Salon" of one building. */
  phone_and_name_other: bits(0.12, 0.6),

  email_same: bits(0.6, 0.001),
  /** At another address: the organisation's. */
  email_elsewhere: bits(0.4, 0.2),
  email_crowded: bits(0.6, 0.1),
  email_other: bits(0.3, 0.8),

  domain_same: bits(0.7, 0.02),
  /** At another address, beside a lead without one, or of many leads: the organisation's, and hardly evidence of a place. */
  domain_of_many: bits(0.5, 0.4),
  domain_other: bits(0.2, 0.8),
} as const satisfies Record<string, { m: number; u: number; weight: number }>;
export type Level = keyof typeof levels;
