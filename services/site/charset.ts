/**
 * Decodes a page as browsers do (https://html.spec.whatwg.org/multipage/parsing.html#determining-the-character-encoding):
 * byte order mark, then the header's charset, then a meta tag in the first 1,024 bytes, then UTF-8 if it is that, else
 * windows-1252. Never throws: what cannot be decoded becomes U+FFFD.
 */
export function decodePage(body: Uint8Array, contentType: string | undefined): string {
  const label = markOf(body) ?? known(charsetOf(contentType)) ?? known(metaCharset(body));
  if (label !== undefined) return new TextDecoder(label).decode(body);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    return new TextDecoder("windows-1252").decode(body);
  }
}

function markOf(body: Uint8Array): string | undefined {
  if (body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) return "utf-8";
  if (body[0] === 0xfe && body[1] === 0xff) return "utf-16be";
  if (body[0] === 0xff && body[1] === 0xfe) return "utf-16le";
  return undefined;
}

function charsetOf(contentType: string | undefined): string | undefined {
  return /charset\s*=\s*["']?\s*([\w.:-]+)/i.exec(contentType ?? "")?.[1];
}

function metaCharset(body: Uint8Array): string | undefined {
  const head = new TextDecoder("latin1").decode(body.subarray(0, 1_024));
  const label = /<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)/i.exec(head)?.[1];
  // The tag could be read as ASCII, so the page is no UTF-16, whatever it says.
  return label !== undefined && /^utf-?16/i.test(label) ? "utf-8" : label;
}

/** The label, when it names an encoding that there is. */
function known(label: string | undefined): string | undefined {
  if (label === undefined) return undefined;
  try {
    return new TextDecoder(label).encoding;
  } catch {
    return undefined;
  }
}
