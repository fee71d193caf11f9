/**
 * A text as it is compared: compatible forms made one (full-width, circled, superscript), invisible characters gone, the
 * digits of every script made 0 to 9, lower case, one space.
 */
export function plainWords(text: string): string {
  return text
    .normalize("NFKC")
    .replace(/\p{Cf}+/gu, "")
    .replace(/\p{Nd}/gu, digitOf)
    .replace(/[\u2018\u2019\u02bc]/g, "'")
    .replace(/[\u2010-\u2015\u2212]/g, "-")
    .toLowerCase()
    .replace(/\s+/g, " ")
    .trim();
}

/** Decimal digits stand in Unicode as blocks of ten, 0 to 9. */
function digitOf(character: string): string {
  const code = character.codePointAt(0)!;
  let zero = code;
  while (code - zero < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
  return String(code - zero);
}
