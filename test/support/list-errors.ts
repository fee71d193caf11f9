import type { LeadFields } from "../../services/leads/lead.ts";

/** Errors as lists make them: slips of the keyboard, fields left out, abbreviations, another suite. */
const shortened: [RegExp, string][] = [
  [/\bBrewing\b/g, "Brew."],
  [/\bBrewery\b/g, "Brew"],
  [/\bCompany\b/g, "Co"],
  [/\bStreet\b/g, "St"],
  [/\bAvenue\b/g, "Ave."],
  [/\bBoulevard\b/g, "Blvd"],
  [/\bRoad\b/g, "Rd"],
  [/\bDrive\b/g, "Dr"],
  [/\bNorth\b/g, "N"],
  [/\bSouth\b/g, "S"],
  [/\bEast\b/g, "E."],
  [/\bWest\b/g, "W."],
  [/\bSaint\b/g, "St."],
  [/\band\b/g, "&"],
];

/** One slip in a text: a letter left out, doubled, changed, or swapped with the next. */
export function slip(text: string, random: () => number): string {
  if (text.length < 4) return text;
  const at = 1 + Math.floor(random() * (text.length - 2));
  const [before, here, after] = [text.slice(0, at), text[at]!, text.slice(at + 1)];
  const letter = /\d/.test(here) ? String(Math.floor(random() * 10)) : "aeioustrn"[Math.floor(random() * 9)]!;
  return [
    before + after,
    before + here + here + after,
    before + letter + after,
    before + after[0] + here + after.slice(1),
  ][Math.floor(random() * 4)]!;
}

/** The same business as another list might have it. Half of the copies have one error, the others two or three. */
export function spoilt(fields: LeadFields, random: () => number): LeadFields {
  const told: LeadFields = { ...fields, ...(fields.address && { address: { ...fields.address } }) };
  const errors = random() < 0.5 ? 1 : 2 + Math.floor(random() * 2);
  const kinds = [
    () => {
      told.name = slip(told.name, random);
    },
    () => {
      if (told.address?.street) told.address.street = slip(told.address.street, random);
    },
    () => {
      if (told.phone) told.phone = slip(told.phone, random);
    },
    () => {
      for (const [long, short] of shortened) {
        told.name = told.name.replace(long, short);
        if (told.address?.street) told.address.street = told.address.street.replace(long, short);
      }
    },
    () => {
      if (told.address?.street) told.address.unit = String(1 + Math.floor(random() * 400));
    },
    () => {
      delete told.phone;
    },
    () => {
      delete told.website;
      delete told.domain;
    },
    () => {
      delete told.address?.zip;
    },
    () => {
      if (told.phone || told.domain) delete told.address;
    },
  ];
  for (let n = 0; n < errors; n++) kinds.splice(Math.floor(random() * kinds.length), 1)[0]!();
  return told;
}
