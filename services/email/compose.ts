import type { Lead } from "../leads/lead.ts";

export interface Mail {
  to: string;
  /** One line. */
  subject: string;
  html: string;
  text: string;
}

export interface ComposeOptions {
  to: string;
  /** Who signs. */
  senderName: string;
  /** Where the mock-up can be seen; undefined for a lead that has none. */
  mockupUrl?: string;
  /** Who sends this and how to get no more of it (15 U.S.C. 7704(a)(3) and (5)). Without it the e-mail must not be sent. */
  foot?: { postalAddress: string; unsubscribeUrl: string };
}

/** More than three read like a reproach. */
const mostImprovements = 3;

/**
 * The e-mail to a lead, in HTML and in plain text, about 3 kB. Says only what the lead's mock-up draft says; everything
 * from outside is put on one line and escaped, so that it can open neither a tag nor a header.
 */
export function compose(lead: Pick<Lead, "fields" | "mockup">, options: ComposeOptions): Mail {
  const name = line(lead.fields.name, 60) || "your business";
  const parts: Parts = {
    name,
    opening: options.mockupUrl
      ? `We drafted a web site for ${name}, to show how it could look. It is only a draft, made for you and not published.`
      : `We have a few ideas for the web site of ${name}.`,
    improvements: (lead.mockup?.improvements ?? []).slice(0, mostImprovements).map((sentence) => line(sentence, 240)),
    closing: "If you would like to talk about it, simply answer this e-mail. If not, there is nothing you need to do.",
    senderName: line(options.senderName, 64),
    mockupUrl: options.mockupUrl,
    foot: options.foot && {
      lines: [
        "This is a commercial message. We wrote to you because your business is listed publicly.",
        line(`${options.senderName}, ${options.foot.postalAddress}`, 300),
      ],
      unsubscribeUrl: options.foot.unsubscribeUrl,
    },
  };
  return {
    to: options.to,
    subject: options.mockupUrl ? `A draft of a web site for ${name}` : `Ideas for the web site of ${name}`,
    text: textOf(parts),
    html: htmlOf(parts),
  };
}

interface Parts {
  name: string;
  opening: string;
  improvements: string[];
  closing: string;
  senderName: string;
  mockupUrl: string | undefined;
  foot: { lines: string[]; unsubscribeUrl: string } | undefined;
}

const noticed = "What we noticed about your presence on the web today:";

function textOf({ opening, improvements, closing, senderName, mockupUrl, foot }: Parts): string {
  const paragraphs = [
    "Hello,",
    opening,
    mockupUrl && `See the draft: ${mockupUrl}`,
    improvements.length > 0 && [noticed, ...improvements.map((sentence) => `- ${sentence}`)].join("\n"),
    closing,
    `Kind regards\n${senderName}`,
    // "-- " on a line of its own opens a signature, RFC 3676 section 4.3.
    foot && `-- \n${[...foot.lines, `To get no more e-mail from us: ${foot.unsubscribeUrl}`].join("\n")}`,
  ];
  return `${paragraphs.filter((paragraph) => paragraph).join("\n\n")}\n`;
}

/** Tables and inline styles, as mail programs still want them; readable without any of them. */
function htmlOf({ name, opening, improvements, closing, senderName, mockupUrl, foot }: Parts): string {
  const p = (content: string) => `<p style="margin:0 0 18px">${content}</p>`;
  const button = mockupUrl
    ? `<table role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin:6px 0 26px"><tr><td style="background:#1f4486;border-radius:8px"><a href="${escapeHtml(mockupUrl)}" style="display:inline-block;padding:14px 26px;color:#ffffff;font-weight:bold;text-decoration:none">See the draft</a></td></tr></table>`
    : "";
  const list =
    improvements.length > 0
      ? `${p(`<strong>${noticed}</strong>`)}<ul style="margin:0 0 22px;padding:0 0 0 22px">${improvements.map((sentence) => `<li style="margin:0 0 8px">${escapeHtml(sentence)}</li>`).join("")}</ul>`
      : "";
  const under = foot
    ? `<tr><td style="padding:20px 36px;border-top:1px solid #dfe4ec;color:#5b6679;font-size:13px;line-height:20px">${foot.lines.map(escapeHtml).join("<br>")}<br><a href="${escapeHtml(foot.unsubscribeUrl)}" style="color:#5b6679">Get no more e-mail from us</a></td></tr>`
    : "";
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeHtml(name)}</title></head>
<body style="margin:0;padding:0;background:#eef1f6">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="background:#eef1f6"><tr><td align="center" style="padding:28px 12px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:600px;background:#ffffff;border-radius:12px;font-family:Arial,Helvetica,sans-serif;font-size:16px;line-height:25px;color:#182236;text-align:left">
<tr><td style="padding:36px 36px 22px" dir="auto">
${p("Hello,")}
${p(escapeHtml(opening))}
${button}${list}${p(escapeHtml(closing))}
${p(`Kind regards<br>${escapeHtml(senderName)}`)}
</td></tr>
${under}</table>
</td></tr></table>
</body>
</html>
`;
}

/** Control characters, line separators, and characters that turn the direction of what follows them. */
const harmful = /[\p{Cc}\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff]+/gu;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Text from outside on one line, of at most `limit` characters as a reader counts them. */
function line(text: string, limit: number): string {
  const one = text
    .slice(0, limit * 16)
    .toWellFormed()
    .replace(harmful, " ")
    .replace(/\s+/g, " ")
    .trim();
  if (one.length <= limit) return one;
  const shown = [...graphemes.segment(one)].map((part) => part.segment);
  return shown.length <= limit
    ? one
    : `${shown
        .slice(0, limit - 1)
        .join("")
        .trimEnd()}…`;
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!);
