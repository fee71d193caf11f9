import type { Lead } from "../leads/lead.ts";
import { clean } from "./text.ts";

/** The words of somebody who speaks to a language model, rather than to the visitors of a web site. */
const spokenToModels =
  /\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|prompts?|rules?|above|previous|prior)\b|\b(?:system|developer)\s+(?:prompt|message|instructions?)\b|\b(?:as|you are) an? (?:ai|assistant|language model|chatbot)\b|\b(?:llm|chatgpt|gpt-?\d|claude|language model|prompt injection)\b|<\/?\s*(?:script|iframe|object|embed|style|business|data|system|assistant|user|instructions?)\b|\bjavascript:|\bdata:text|\{\s*"\w+"\s*:/i;

/** Links, addresses and telephone numbers: the page has the lead's own already, and what else a site names is not it. */
const elsewhere = /\b[a-z][a-z0-9+.-]*:\/\/\S*|\bwww\.\S+|\S+@\S+|\+?\d(?:[\s().\-/]*\d){6,}/gi;

/** A text of the web site's as one plain line; "" where it speaks to models: such a site is not quoted at all. */
export function plain(text: string | undefined, limit: number): string {
  // Characters that nobody sees would hide words from the look below, and from the reader.
  const seen = clean(
    text
      ?.slice(0, limit * 16)
      .normalize("NFKC")
      .replace(/\p{Cf}+/gu, ""),
    limit * 2,
  );
  if (spokenToModels.test(seen)) return "";
  const bare = seen
    .replace(/<[^>]*>?/g, " ")
    .replace(elsewhere, " ")
    .replace(/[<>{}[\]|\\`*#]+/g, " ");
  return clean(bare, limit);
}

/** What the lead's web site says of itself, as data for a draft. */
export function siteText({ facts: { site } }: Lead): { title: string; description: string } {
  if (site?.status !== "ok") return { title: "", description: "" };
  return { title: plain(site.title, 120), description: plain(site.description, 400) };
}
