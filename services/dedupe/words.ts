/** Names and streets as words that can be compared. Pure tables and rules; nothing is learned, so that no order matters. */

/** Words that say a business's legal form, and nothing of its name. */
const legalForms = new Set(
  (
    "inc incorporated llc llp lllp lp ltd limited co company corp corporation pc pllc plc nfp gmbh mbh ag kg ohg ug " +
    "ev sa sas sarl srl spa bv nv ab as oy aps pty pte"
  ).split(" "),
);

const streetTypes = new Set(
  (
    "street st str avenue ave av boulevard blvd road rd drive dr lane ln court ct place pl plaza plz square sq terrace ter " +
    "parkway pkwy highway hwy circle cir way trail trl pike expressway expy freeway fwy alley aly loop route rte"
  ).split(" "),
);

const directions: Record<string, string> = {
  north: "n",
  south: "s",
  east: "e",
  west: "w",
  northeast: "ne",
  northwest: "nw",
  southeast: "se",
  southwest: "sw",
  n: "n",
  s: "s",
  e: "e",
  w: "w",
  ne: "ne",
  nw: "nw",
  se: "se",
  sw: "sw",
};

/** What follows says where inside the building. */
const unitWords = new Set("suite ste unit apt apartment room rm floor fl bldg building".split(" "));

const numerals: Record<string, string> = {
  first: "1",
  second: "2",
  third: "3",
  fourth: "4",
  fifth: "5",
  sixth: "6",
  seventh: "7",
  eighth: "8",
  ninth: "9",
  tenth: "10",
};

/** Long forms and what lists write for them, both ways of one word in names and in streets. */
const shortForms: Record<string, string> = Object.fromEntries(
  (
    "saint:st mount:mt fort:ft center:ctr centre:ctr cntr:ctr school:sch academy:acad association:assn assoc:assn " +
    "brothers:bros department:dept international:intl national:natl university:univ manufacturing:mfg services:svc " +
    "service:svc svcs:svc community:comm comm:comm development:dev developmental:dev management:mgmt company:co " +
    "brewing:brew brewery:brew brewers:brew brewhouse:brew childrens:child children:child childcare:child kids:kid " +
    "doctor:dr martin:martin junior:jr senior:sr restaurant:rest schools:sch centers:ctr nursery:nursery doctors:dr"
  )
    .split(" ")
    .map((pair) => pair.split(":") as [string, string]),
);

/** Glue that carries nothing. */
const emptyWords = new Set("the of and at for in on a an de la el los las le der die das und et y".split(" "));

/**
 * Words so common in names of businesses and institutions that to share one says little. A table, not a count of what is
 * on record: a weight learned from earlier leads would make the decision depend on their order.
 */
const commonWords = new Set(
  (
    "ctr sch acad assn child kid care day daycare learning early childhood preschool pre nursery family head start dev " +
    "comm svc house home church christian lutheran catholic baptist public city county state university univ college " +
    "institute foundation society club council charities charity social human health medical clinic dental hospital " +
    "brew brewpub beer ale ales works taproom pub bar grill rest cafe coffee kitchen pizza bakery house food foods " +
    "market store shop shops salon spa beauty hair nails barber auto car repair tire collision parts motors garage " +
    "cleaners cleaning laundry plumbing heating electric electrical roofing construction builders contractors design " +
    "studio group partners associates consulting solutions systems tech technologies media agency law office offices " +
    "attorney insurance realty estate properties property hotel inn motel suites travel fitness gym yoga sports pet " +
    "animal veterinary flowers florist jewelry gallery art arts music photography printing print graphics fashion " +
    "boutique clothing furniture hardware supply equipment rental rentals storage transport trucking logistics " +
    "international intl national natl american america usa us metropolitan metro greater north south east west northern " +
    "southern eastern western central downtown new old first 1 2 3 one two little great best st dr san santa saint " +
    "united all pro quality general business management mgmt financial bank credit union co inc llc ltd corp bros " +
    "sons jr sr park street avenue lake river hill valley village town program programs education educational " +
    "business businesses enterprise enterprises firm elementary high magnet infant infants toddler toddlers tots"
  ).split(" "),
);

/** How much it says that two names share a word: 0 glue, 0.25 a common word, 1 a rare one; a letter or a short number little. */
export function wordWeight(word: string): number {
  if (commonWords.has(word) || word.length < 2 || /^\d\d?$/.test(word)) return 0.25;
  return 1;
}

/** Words in lower case without accents; an apostrophe or a dot joins (`Lucy's`, `A.B.C.`), other punctuation parts. */
export function wordsOf(text: string): string[] {
  if (ascii.test(text)) return asciiWordsOf(text.toLowerCase());
  return text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/ß/g, "ss")
    .replace(/&/g, " and ")
    .replace(/(?<=\p{L})\?(?=s\b)/gu, "")
    .replace(/[\p{M}'’‘`´.]/gu, "")
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
}

const ascii = /^[\0-\x7f]*$/;

/** The same for most texts there are, at half the time: classes of Unicode are looked up character by character. */
function asciiWordsOf(text: string): string[] {
  return text
    .replace(/&/g, " and ")
    .replace(/(?<=[a-z])\?(?=s\b)/g, "")
    .replace(/['`.]/g, "")
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
}

/** A name's words, each once: without glue, without the legal form at the end, short forms made one. */
export function nameWords(name: string): string[] {
  const words = wordsOf(name);
  let end = words.length;
  while (end > 1 && legalForms.has(words[end - 1]!)) end--;
  const said = words.slice(0, end).map((word) => shortForms[word] ?? numerals[word] ?? word);
  const kept = said.filter((word) => !emptyWords.has(word));
  return [...new Set(kept.length > 0 ? kept : said)];
}

export interface StreetLine {
  number: string;
  street: string[];
  direction: string;
  unit: string;
}

/** House number, street, direction and unit of a street line; empty where it has none. */
export function readStreet(line: string): StreetLine {
  const none = { number: "", street: [], direction: "", unit: "" };
  const hash = /#\s*([\w-]+)/.exec(line)?.[1]?.toLowerCase() ?? "";
  const words = wordsOf(line.replace(/#\s*[\w-]*/g, " ").replace(/^(\s*\d+)(?=\p{L}{3})/u, "$1 "));
  const box = words.indexOf("box");
  if (box > 0 && /^p?o$/.test(words[box - 1]!) && words[box + 1])
    return { ...none, number: words[box + 1]!, street: ["box"] };
  const at = words.findIndex((word) => /^\d/.test(word));
  if (at < 0) return none;
  // "100-102 Main": the first is the number.
  const next = words.findIndex((word, n) => n > at && !/^\d+$/.test(word));
  const from =
    next > at + 1 && next > 0 ? (directions[words[next]!] || streetTypes.has(words[next]!) ? at + 1 : next) : at + 1;
  const unitAt = words.findIndex((word, n) => n > at + 1 && unitWords.has(word));
  const rest = words.slice(from, unitAt < 0 ? undefined : unitAt);
  // "Suite 200", "Ste 200" and "#200" are one; "Bldg 1 Ste 23" is another than "Ste 123".
  const inside = unitAt < 0 ? [] : words.slice(unitAt).map((word) => (unitWords.has(word) ? " " : word));
  // "Calle Mayor 5": where nothing follows the number, the street stands before it.
  const named = rest.length > 0 ? rest : words.slice(0, at);
  const core = named.filter((word) => !streetTypes.has(word) && !(word in directions));
  // "12 North Ave", "5 Court St": a name made of such words alone is kept whole, without its type at the end.
  const kept = core.length > 0 ? core : named.length > 1 ? named.slice(0, -1) : named;
  if (kept.length === 0) return none;
  return {
    number: words[at]!,
    street: kept.map((word) => shortForms[word] ?? numerals[word] ?? word.replace(/^(\d+)[stndrh]{1,2}$/, "$1")),
    direction: core.length > 0 ? (directions[named.find((word) => word in directions) ?? ""] ?? "") : "",
    unit: inside.join("").trim().replace(/ +/g, " ") || hash,
  };
}
