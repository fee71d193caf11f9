import type { Profile } from "./profile.ts";
import { jaroWinkler, oneSlip } from "./similarity.ts";
import { type Level, levels } from "./weights.ts";
import { wordWeight } from "./words.ts";

/** What one field says of a pair. */
export interface Evidence {
  level: Level;
  /** log2 of the likelihood ratio. */
  weight: number;
}

export interface Comparison {
  /** Sum of the fields' weights, in bits. */
  weight: number;
  evidence: Evidence[];
}

const nothing: ReadonlySet<string> = new Set();

/**
 * Compares two leads field by field. Each field finds the level at which it agrees or disagrees; the level's weight is
 * the log2 of how much oftener doubles show it than others (Fellegi & Sunter 1969, "A Theory for Record Linkage"); a
 * field that one of the two does not tell says nothing. Says the same for (a, b) and (b, a).
 * `crowded`: phones, e-mail addresses and domains that so many leads have that they say little.
 */
export function compare(a: Profile, b: Profile, crowded: ReadonlySet<string> = nothing): Comparison {
  const evidence: Evidence[] = [];
  let weight = 0;
  const add = (level: Level | null) => {
    if (level === null) return;
    evidence.push({ level, weight: levels[level].weight });
    weight += levels[level].weight;
  };
  if (a.sourceKey !== "" && a.sourceKey === b.sourceKey) add("source_same");
  const place = addressLevel(a, b);
  const name = nameLevel(a.name, b.name);
  // Of one building such are as often two businesses, who share its suites but no phone.
  const namesDiffer = name === "name_common" || name === "name_other";
  add(name);
  add(place);
  if (place === "address_same" || place === "address_close") {
    const unit = unitLevel(a, b);
    add(unit === "unit_same" && namesDiffer ? null : unit);
  }
  const elsewhere = place === "address_other" || place === "number_other" || place === "street_other";
  // Where the streets differ already, the zip says nothing more.
  const zip = elsewhere ? null : zipLevel(a, b);
  add(zip === "zip_same" && place === null ? "zip_alone" : zip);
  const phone = phoneLevel(a.phone, b.phone);
  if (phone === "phone_same" && crowded.has(a.phone)) add("phone_crowded");
  else add(phone === "phone_other" && namesDiffer ? "phone_and_name_other" : phone);
  const sameEmail = a.email !== "" && a.email === b.email;
  if (sameEmail) add(crowded.has(a.email) ? "email_crowded" : elsewhere ? "email_elsewhere" : "email_same");
  else if (a.email !== "" && b.email !== "") add("email_other");
  if (a.domain !== "" && b.domain !== "" && !sameEmail) {
    // A chain's one site covers all its places: it ties no place to another, and none to the chain as such.
    const placed = place === null && (a.number === "") !== (b.number === "");
    const chain = elsewhere || placed || crowded.has(a.domain);
    add(a.domain !== b.domain ? "domain_other" : chain ? "domain_of_many" : "domain_same");
  }
  return { weight, evidence };
}

/** Words within this Jaro-Winkler similarity are one word with a slip. */
const sameWord = 0.92;

/** The share of two names' weight that agrees: of both (Dice), and of the one that says less. */
export function nameAgreement(
  a: readonly string[],
  b: readonly string[],
): { dice: number; part: number; rare: number } {
  const left = new Set(b);
  let shared = 0;
  let rare = 0;
  const unmet: string[] = [];
  for (const word of a) {
    if (!left.delete(word)) unmet.push(word);
    else {
      shared += wordWeight(word);
      if (wordWeight(word) === 1) rare++;
    }
  }
  for (const word of unmet) {
    for (const other of left) {
      if (word.length < 4 || other.length < 4 || /\d/.test(word + other)) continue;
      if (jaroWinkler(word, other) < sameWord) continue;
      left.delete(other);
      const both = Math.min(wordWeight(word), wordWeight(other));
      shared += both * 0.9;
      if (both === 1) rare++;
      break;
    }
  }
  const sum = (words: readonly string[]) => words.reduce((total, word) => total + wordWeight(word), 0);
  const [x, y] = [sum(a), sum(b)];
  return { dice: (2 * shared) / (x + y || 1), part: shared / (Math.min(x, y) || 1), rare };
}

/** Names without spaces within this Jaro-Winkler similarity are one name with a slip. */
const joinedName = 0.95;

function nameLevel(a: readonly string[], b: readonly string[]): Level | null {
  if (a.length === 0 || b.length === 0) return null;
  const { dice, part, rare } = nameAgreement(a, b);
  if (numbersDiffer(a, b)) return "name_numbered";
  const joined = a.join("") === b.join("");
  if (joined || dice >= 0.999) return rare > 0 || joined ? "name_same" : "name_same_common";
  if (dice >= 0.85) return rare > 0 ? "name_close" : "name_same_common";
  // "AbideBrewing" and "Abide Brewing": a space is no letter.
  if (jaroWinkler(a.join(""), b.join("")) >= joinedName) return "name_close";
  if (part >= 0.85 && rare > 0) return "name_part";
  if (rare > 0) return "name_word";
  return part >= 0.5 ? "name_common" : "name_other";
}

const numeral = /^(\d+|i{1,3}|iv|vi{0,3}|ix|x)$/;

/** "Little Stars 1" and "Little Stars 2", "House I" and "House III": who numbers his places tells them apart. */
function numbersDiffer(a: readonly string[], b: readonly string[]): boolean {
  const [x, y] = [a.filter((word) => numeral.test(word)), b.filter((word) => numeral.test(word))];
  return x.length > 0 && y.length > 0 && !x.some((word) => y.includes(word));
}

function addressLevel(a: Profile, b: Profile): Level | null {
  if (a.number === "" || b.number === "" || a.street.length === 0 || b.street.length === 0) return null;
  const street = sameStreet(a.street, b.street);
  if (a.number === b.number) {
    if (street === "other") return "street_other";
    if (a.direction !== "" && b.direction !== "" && a.direction !== b.direction) return "address_close";
    return street === "same" ? "address_same" : "address_close";
  }
  if (street === "same" && oneSlip(a.number, b.number)) return "number_slip";
  if (street === "same" && Math.abs(Number.parseInt(a.number, 10) - Number.parseInt(b.number, 10)) <= nextDoor)
    return "number_near";
  return street === "other" ? "address_other" : "number_other";
}

/** House numbers this far apart stand side by side, or on one corner. */
const nextDoor = 20;

function sameStreet(a: readonly string[], b: readonly string[]): "same" | "close" | "other" {
  const [x, y] = [a.join(""), b.join("")];
  if (x === y) return "same";
  const shared = a.filter((word) => b.includes(word)).length;
  if (shared > 0 && shared === Math.min(a.length, b.length)) return "close";
  // "51st" and "53rd" are no slips of each other.
  if (/\d/.test(x + y)) return "other";
  return jaroWinkler(x, y) >= 0.9 ? "close" : "other";
}

function unitLevel(a: Profile, b: Profile): Level | null {
  if (a.unit === "" || b.unit === "") return null;
  return a.unit === b.unit ? "unit_same" : "unit_other";
}

function zipLevel(a: Profile, b: Profile): Level | null {
  if (a.zip !== "" && b.zip !== "") {
    if (a.zip === b.zip) return "zip_same";
    return oneSlip(a.zip, b.zip) || a.zip.slice(0, 3) === b.zip.slice(0, 3) ? "zip_near" : "zip_other";
  }
  if (a.city === "" || b.city === "") return null;
  return a.city === b.city ? "city_same" : "city_other";
}

function phoneLevel(a: string, b: string): Level | null {
  if (a === "" || b === "") return null;
  if (a === b) return "phone_same";
  // A list that leaves the area code out has had one put before it, perhaps not the right one.
  if (a.length > 8 && a.slice(-7) === b.slice(-7)) return "phone_local";
  return oneSlip(a, b) ? "phone_slip" : "phone_other";
}
