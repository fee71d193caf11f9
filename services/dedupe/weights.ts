/**
 * How much each level of agreement says, in bits: log2(m / u), where m is how often doubles show the level and u how
 * often two other leads do.
 */
const bits = (m: number, u: number) => ({ m, u, weight: Math.log2(m / u) });

export const levels = {
  source_same: bits(1, 1e-9),
  name_same: bits(0.35, 0.002),
  name_same_common: bits(0.05, 0.01),
  name_close: bits(0.15, 0.001),
  name_part: bits(0.25, 0.004),
  name_word: bits(0.12, 0.015),
  name_common: bits(0.12, 0.12),
  name_numbered: bits(0.05, 0.4),
  name_other: bits(0.06, 0.85),
  address_same: bits(0.85, 0.0008),
  address_close: bits(0.08, 0.0008),
  number_slip: bits(0.01, 0.01),
  number_near: bits(0.003, 0.05),
  street_other: bits(0.002, 0.3),
  number_other: bits(0.0007, 0.6),
  address_other: bits(0.001, 0.95),
  unit_same: bits(0.7, 0.2),
  unit_other: bits(0.2, 0.6),
  zip_same: bits(0.9, 0.4),
  zip_near: bits(0.08, 0.3),
  zip_other: bits(0.02, 0.5),
  city_same: bits(0.95, 0.7),
  city_other: bits(0.05, 0.4),
  phone_same: bits(0.7, 0.0015),
  phone_local: bits(0.05, 0.0001),
  phone_crowded: bits(0.7, 0.25),
  phone_slip: bits(0.05, 0.01),
  phone_other: bits(0.2, 0.6),
  email_same: bits(0.6, 0.001),
  email_elsewhere: bits(0.4, 0.2),
  email_crowded: bits(0.6, 0.25),
  email_other: bits(0.3, 0.8),
  domain_same: bits(0.7, 0.02),
  domain_of_many: bits(0.4, 0.25),
  domain_other: bits(0.2, 0.8),
} as const satisfies Record<string, { m: number; u: number; weight: number }>;
export type Level = keyof typeof levels;
