/** Taking a street apart: its unit, and the city that follows it on one line without a comma. */

const suffixes = new Set(
  "alley aly avenue ave av boulevard blvd bl circle cir close court ct crescent cres drive dr expressway expy freeway fwy highway hwy lane ln parkway pkwy pike place pl plaza plz road rd row square sq steet street st terrace ter trail trl turnpike tpke way".split(
    " ",
  ),
);
/** After these a number is the road's, not a unit's: `County Road 606`. */
const numbered = new Set(
  "highway hwy route rte county state co us ranch farm road rd fm cr sr interstate bypass box".split(" "),
);
const shortDirection = /^(?:[nsew]|[ns][ew])\.?$/i;
const saints =
  /^(?:louis|paul|charles|petersburg|augustine|cloud|joseph|george|albans|clair|johnsbury|marys|helens|helena|catharines|thomas|peters|simons|francis)$/i;
/** First and last words of place names of two words. */
const cityStarts =
  /^(?:bay|beverly|baton|cedar|cape|coral|corpus|council|des|eagle|el|fort|ft|grand|green|high|iowa|kansas|la|lake|las|little|long|los|mount|mt|new|niagara|north|oak|old|orange|overland|palm|palo|port|rapid|round|saint|st|salt|san|santa|sioux|south|sugar|union|upper|virginia|walnut|west|east|white|winston|woodland)\.?$/i;
const cityEnds =
  /^(?:beach|bluff|bluffs|bridge|center|city|corners|creek|falls|forest|gardens|grove|harbor|heights|hill|hills|island|junction|lake|lakes|lawn|meadows|park|plains|point|prairie|rapids|ridge|river|rock|springs|station|town|valley|view|village|vista|woods)$/i;

const ordinal = "(?:\\d+(?:st|nd|rd|th)|first|second|third|fourth|fifth|ground|main|top|lower|upper)";
const unitAtEnd = new RegExp(
  `[\\s,]+((?:(?:suites?|ste|units?|apartment|apt|rooms?|rm|floor|fl|flr|building|bldg|lot|space|spc|shop)\\.?\\s*#?\\s*[a-z]{0,2}-?\\d[a-z\\d/-]*|(?:suite|ste|unit|apartment|apt|room|rm|building|bldg|floor)\\.?\\s+#?[a-z](?:-[a-z\\d]+)?|(?:suite|ste|unit)\\.?\\s+[a-z]{1,3}\\d[a-z\\d-]*|#\\s*[a-z\\d-]+|${ordinal}\\s+(?:floor|fl|flr)\\.?|p\\.?\\s?o\\.?\\s*box\\s+\\w+))[\\s.,]*$`,
  "i",
);

/** Is this text a unit by itself, and no street? `Suite 412`, `2nd floor`, `#5`, `P.O. Box 172`. */
export function isUnit(text: string): boolean {
  return unitAtEnd.exec(` ${text}`)?.index === 0;
}

/** `407 Radam Ln Ste F200` -> street `407 Radam Ln`, unit `Ste F200`; `1001 W Roosevelt Rd 606` -> unit `606`. */
export function splitUnit(text: string): { street: string; unit?: string } {
  let street = text.replace(/[\s,;]+$/, "");
  const units: string[] = [];
  for (let round = 0; round < 4; round++) {
    const match = unitAtEnd.exec(street);
    if (!match || match.index === 0) break;
    units.unshift(match[1]!);
    street = street.slice(0, match.index).replace(/[\s,;]+$/, "");
  }
  const words = street.split(" ");
  const last = words.length - 1;
  const bare =
    units.length === 0 &&
    last >= 3 &&
    /^\d{1,4}[a-z]?$/i.test(words[last]!) &&
    isSuffix(words[last - 1]!) &&
    /^\d/.test(words[0]!) &&
    !words.slice(1, last - 1).some((word) => numbered.has(plain(word))) &&
    !["highway", "hwy"].includes(plain(words[last - 1]!)) &&
    words.slice(1, last - 1).some((word) => !shortDirection.test(word));
  if (bare) return { street: words.slice(0, last).join(" "), unit: words[last]! };
  return units.length > 0 ? { street, unit: units.join(" ") } : { street };
}

/** Only for a line whose state or postal code follows: `1745 N. Orchard St. Chicago` -> street and city. */
export function splitCity(text: string): { street: string; city?: string } {
  const words = text.split(" ");
  const start = /^\d/.test(words[0]!) ? 1 : 0;
  const name = words.findIndex((word, at) => at >= start && !shortDirection.test(word));
  let end = words.findIndex((word, at) => at > name && isSuffixAt(words, at) && word !== "");
  if (name >= 0 && end >= 0) {
    while (end + 1 < words.length && isSuffixAt(words, end + 1)) end++;
    end++;
    while (end < words.length && (shortDirection.test(words[end]!) || belongsToStreet(words, end))) end++;
    return end < words.length
      ? { street: words.slice(0, end).join(" "), city: words.slice(end).join(" ") }
      : { street: text };
  }
  // No suffix tells where the street ends: the last word is the city, or the last two where they read as one name.
  if (start === 0 || name < 0 || name === words.length - 1) return { street: text };
  const two =
    words.length - name > 2 &&
    (cityStarts.test(words.at(-2)!) || cityEnds.test(words.at(-1)!)) &&
    !/\d/.test(words.at(-2)!);
  const cut = words.length - (two ? 2 : 1);
  if (/\d/.test(words[cut]!)) return { street: text };
  return { street: words.slice(0, cut).join(" "), city: words.slice(cut).join(" ") };
}

const plain = (word: string) => word.toLowerCase().replace(/[.,]/g, "");
const isSuffix = (word: string) => suffixes.has(plain(word));
const isSuffixAt = (words: string[], at: number) =>
  isSuffix(words[at]!) && !(plain(words[at]!) === "st" && saints.test(words[at + 1] ?? ""));

/** Numbers, ordinals and units right after the suffix. */
function belongsToStreet(words: string[], at: number): boolean {
  return (
    /^#?\d[\w-]*$/.test(words[at]!) ||
    /^(?:suite|ste|unit|apt|room|rm|floor|fl|bldg)\.?$/i.test(words[at]!) ||
    (/^(?:suite|ste|unit|apt|room|rm|floor|fl|bldg)\.?$/i.test(words[at - 1]!) && /^#?[a-z]?[\d-]*$/i.test(words[at]!))
  );
}
