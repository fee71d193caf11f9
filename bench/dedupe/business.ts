import { createHash } from "node:crypto";
import type { Lead } from "../../services/leads/lead.ts";

const syllables =
  "ba be bo ca co da di do fa fe ga go ha ho ka ko la le lo ma mi mo na no pa po ra ri ro sa so ta to va".split(" ");
const trades = ["Bakery", "Dental Clinic", "Auto Repair", "Brewing", "Plumbing", "Law Office", "Salon", "Cafe"];

/** A business that a number determines: names of invented words, 2,000 streets, 900 postal codes, contacts of its own. */
export function business(n: number, tag = "known"): Lead {
  const digest = createHash("sha256").update(`${tag} ${n}`).digest();
  const hex = digest.toString("hex");
  let at = 0;
  const pick = <T>(list: readonly T[]) => list[digest[at++]! % list.length]!;
  const word = () => `${pick(syllables)}${pick(syllables)}${pick(syllables)}`;
  const capital = (text: string) => text[0]!.toUpperCase() + text.slice(1);
  const domain = `${hex.slice(0, 12)}.example`;
  const street = `${syllables[digest.readUInt16BE(20) % 34]}${syllables[digest.readUInt16BE(22) % 34]}son`;
  return {
    leadId: `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`,
    tenant: "bench",
    revision: 1_760_000_000_000 + n,
    source: tag,
    sourceId: `${n}`,
    trust: "imported",
    tier: 1,
    fields: {
      name: `${capital(word())} ${capital(word())} ${pick(trades)}`,
      email: `info@${domain}`,
      phone: `+1${2_000_000_000 + (digest.readUInt32BE(12) % 7_999_999_999)}`,
      website: `https://www.${domain}/`,
      domain,
      address: {
        street: `${1 + (digest.readUInt16BE(24) % 9_000)} ${capital(street)} Street`,
        city: "Chicago",
        state: "IL",
        zip: `60${100 + (digest.readUInt16BE(26) % 900)}`,
        country: "US",
      },
    },
    facts: {},
    timeline: [],
  };
}
