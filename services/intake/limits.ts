/** Every limit of the intake, in one table. Characters are UTF-16 units after cleaning; what is over a limit is never cut, it is refused or dropped with a warning. */
export const limits = {
  name: 200,
  email: 254, // RFC 5321 §4.5.3.1.3, a path less its brackets
  emailLocal: 64, // RFC 5321 §4.5.3.1.1
  phone: 80,
  website: 2_048,
  addressLine: 400,
  street: 200,
  unit: 120,
  city: 100,
  state: 60,
  zip: 16,
  country: 60,
  vertical: 64,
  /** Categories of one lead; the rest is dropped with a warning. */
  categories: 20,
  source: 64,
  sourceId: 200,
  /** Characters of a wrong value that a fault or a warning shows. */
  shown: 60,
  /** Unknown fields that are named one by one. */
  unknownNamed: 10,
} as const;

/** What may stand before a number of seven digits: only North America's plan has such. */
export const areaCodePattern = /^\d{3}$/;

/** Least and largest value of the numeric facts. The year is checked against next year besides. */
export const ranges = {
  reviewCount: { min: 0, max: 10_000_000, whole: true },
  rating: { min: 0, max: 5, whole: false },
  employeeCount: { min: 0, max: 10_000_000, whole: true },
  /** USD a year */
  revenue: { min: 0, max: 10_000_000_000_000, whole: false },
  foundedYear: { min: 1000, max: 2_999, whole: true },
  socialFollowers: { min: 0, max: 10_000_000_000, whole: true },
  tier: { min: 1, max: 3, whole: true },
} as const;
