import { parse as parseHost } from "tldts";
import { type Known, numbersIn } from "./known.ts";
import { plainWords } from "./words.ts";

/**
 * What a drafted text says that is not known of the lead, as far as a machine can tell: figures, telephone numbers,
 * addresses of every kind, prices, and claims by their usual English words. What it cannot tell: a claim in words that
 * stand in no list below, or in another language. docs/mockup.md
 */

/** Words that claim something a listing does not show. A text may use one that the lead's own data has. */
const claims: readonly RegExp[] = [
  /\baward\w*/,
  /\b(?:certifi\w+|accredit\w+|licen[sc]ed?|insured|bonded|vetted|registered)\b/,
  /\b(?:guarante\w+|warrant\w+|money[- ]back)\b/,
  /\b(?:top|best|highest|five|5)[- ](?:rated|reviewed|star|stars)\b/,
  /\b(?:number one|no\. ?1|#1|leading|voted|the best(?! (?:way|time|day|moment)))\b/,
  /\b(?:reviews?|testimonials?|ratings?|stars)\b/,
  /\b(?:our|happy|satisfied|past) (?:customers|clients|patients|guests|parents) (?:say|love|agree|rave)/,
  /\b(?:trusted by|recommended by|as seen (?:in|on)|featured (?:in|on))\b/,
  /\b(?:family|veteran|woman|women|minority|black|locally)[- ](?:owned|run|operated)\b/,
  /\b(?:established|founded|est\.) |\bsince (?:the|our|we)\b/,
  /\b(?:decades?|generations?|centur(?:y|ies)|anniversary)\b/,
  /\byears? (?:of|in|experience)\b|\byears?' experience\b/,
  /\b(?:(?<!feel )free|complimentary|discounts?|cheap\w*|lowest|affordable|low[- ]cost|half price|special offers?|no obligation)\b/,
  /\b(?:same[- ]day|next[- ]day|24[- ]hours?|around the clock|day and night|seven days|every day|open (?:daily|late|now|early|on|from|until))\b/,
  /\b(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|weekends?|weekdays?|holidays?)\b/,
  /\b(?:emergency|emergencies)\b/,
  /\b(?:organic|vegan|gluten[- ]free|halal|kosher|non-?toxic|eco-friendly)\b/,
  /\b(?:delivery|deliver|financing|payment plans?|wheelchair|parking lot)\b/,
  /\b(?:nationwide|worldwide|locations|branches)\b/,
];

/** Figures in words: "twenty years" is a figure like 20. */
const numberWords =
  /\b(?:eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|dozens?|hundreds?|thousands?|millions?|billions?)\b/g;
const fewOf =
  /\b(?:two|three|four|five|six|seven|eight|nine|ten) (?:years?|stars?|awards?|locations?|times|customers|clients)\b/g;

const money = /[$€£¥₹₽₩]|\b(?:usd|eur|gbp|cad|dollars?|bucks|euros?|cents?)\b|%|\bper ?cent\b/g;
const phoneLike = /\+?\d(?:[\s().\-/·]*\d){6,}/g;
const hostLike = /[\p{L}\p{N}-]+(?:[.\u3002\uff0e\uff61][\p{L}\p{N}-]+)+/gu;
const spelledAddress =
  /\b(?:dot|punkt) (?:com|net|org|io|co|us|biz|info|shop|site|example)\b|\(\s*(?:at|dot)\s*\)|\bat \w+ dot\b/;
const spelledDigits = /(?:\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)\b[\s,.-]*){4}/;
const schemes = /\b[a-z][a-z0-9+.-]{1,20}:\/\/|\b(?:javascript|vbscript|data|mailto|tel|sms|file|https?)\s*:/;
const markup = /[<>{}[\]|\\`]|&(?:#\d+|#x[0-9a-f]+|[a-z]+);/i;
const quoted = /["“”«»„‟]/;
/** What only one who obeys, or reports on, an instruction would write. */
const echoes =
  /\b(?:system prompt|instructions?|language model|as an ai|i cannot|i can't|i am unable|ignore (?:all|the|previous)|assistant|json|schema|placeholder|lorem ipsum|hacked|pwned)\b/;
/** Two scripts in one word: letters that only look like those of the list. */
const mixed =
  /\p{Script=Latin}[\p{Script=Cyrillic}\p{Script=Greek}]|[\p{Script=Cyrillic}\p{Script=Greek}]\p{Script=Latin}/u;

/** What is wrong with the text; empty where nothing is. In words of ours, with the place in it quoted. */
export function faultsOf(text: string, known: Known): string[] {
  const words = plainWords(text);
  const faults: string[] = [];
  const fault = (what: string, found: string) => void faults.push(`${what}: ${JSON.stringify(found.slice(0, 60))}`);
  const sole = (what: string, pattern: RegExp, among = words) => {
    const found = pattern.exec(among)?.[0];
    if (found !== undefined) fault(what, found);
  };
  sole("markup is not allowed", markup);
  sole("addresses are not allowed", schemes);
  sole("addresses are not allowed", spelledAddress);
  sole("a telephone number is not to be spelled out", spelledDigits);
  sole("nobody is to be quoted", quoted);
  sole("it speaks of the task, not of the business", echoes);
  sole("letters of two scripts in one word", mixed, text.normalize("NFKC"));
  for (const [found] of words.matchAll(/\S*@\S*/g))
    if (trimmed(found) !== known.email || known.email === "")
      fault("an e-mail address that is not the business's", found);
  for (const [found] of words.matchAll(hostLike)) {
    const host = parseHost(found.replace(/[\u3002\uff0e\uff61]/g, "."));
    if ((host.isIcann || host.isPrivate) && host.domain !== known.domain && !isOfEmail(found, known))
      fault("a web address that is not the business's", found);
  }
  for (const [found] of words.matchAll(phoneLike)) {
    const digits = found.replace(/\D/g, "");
    if (!(known.phone !== "" && known.phone.endsWith(digits)) && !known.words.includes(found.trim()))
      fault("a telephone number that is not the business's", found);
  }
  const told = words.replace(phoneLike, " ");
  for (const number of numbersIn(told))
    if (!known.numbers.has(number)) fault("a figure that is not in the data", number);
  for (const pattern of [numberWords, fewOf, money])
    for (const [found] of told.matchAll(pattern))
      if (!known.words.includes(found)) fault("a figure or price that is not in the data", found);
  for (const claim of claims)
    for (const [found] of words.matchAll(new RegExp(claim, "g")))
      if (!known.words.includes(found.trim())) fault("a claim that is not in the data", found);
  return faults;
}

const trimmed = (token: string) => token.replace(/^[("'<]+|[)"'>.,;:!?]+$/g, "");
const isOfEmail = (host: string, { email }: Known) => email !== "" && email.split("@").includes(host);
