import { playedPage, playedSite } from "../../bin/demo/site-page.ts";

/** Pages of each age that are made beforehand. */
const variants = 100;
/** Stands for the host in a page that is made beforehand; the second for its name, the third for both in one word. */
const standIn = /((?:dated|modern)-qqhost\d+\.example)|(Qqhost\d+)|(qqhost\d+)/g;

/**
 * The front pages of hosts `dated-….example` and `modern-….example`, 20 kB each, as `bin/demo/sites.ts` plays them: with
 * the host's own title, addresses and profiles, in one of a hundred texts. To make each up anew takes as long as to read it.
 */
export function frontPages(): (host: string) => string {
  const made = ["dated", "modern"].map((age) =>
    Array.from({ length: variants }, (_, n) => {
      const host = `${age}-qqhost${n}.example`;
      return playedPage(playedSite(host, "world"), host, "world").split(standIn);
    }),
  );
  return (host) => {
    const bare = host.replace(/\.example$/, "").replace(/^[a-z0-9]+-/, "");
    const name = bare.replaceAll("-", " ").replace(/\b[a-z]/g, (letter) => letter.toUpperCase());
    const word = bare.replaceAll("-", "");
    const parts = made[host.startsWith("dated-") ? 0 : 1]![hash(host) % variants]!;
    // Split by three groups: a text, then what of the three stood behind it.
    let page = parts[0]!;
    for (let at = 1; at < parts.length; at += 4)
      page += (parts[at] ? host : parts[at + 1] ? name : word) + parts[at + 3]!;
    return page;
  };
}

/** FNV-1a */
function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  return sum >>> 0;
}
