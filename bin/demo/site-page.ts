import { Random } from "./random.ts";

/** What a generated page shows; tests compare what was read with it. */
export interface PlayedSite {
  name: string;
  title: string;
  dated: boolean;
  viewport: boolean;
  contactForm: boolean;
  email?: string;
  /** E.164 */
  phone?: string;
  social: Record<string, string>;
  /** name -> version */
  technologies: Record<string, string>;
}

const words =
  `our family has served the neighbourhood with care and pride since we opened the doors every visit begins with a warm
  welcome honest advice fair prices quality work you can trust book today ask about seasonal offers licensed insured
  friendly staff open evenings weekends free parking easy to find fresh local ingredients modern equipment gentle hands
  years of experience proudly independent customers return again recommend us friends`.split(/\s+/);

/** The site that a host plays; the same for the same seed and host. `dated-` and `modern-` in the host's name decide its age. */
export function playedSite(host: string, seed: string): PlayedSite {
  const random = new Random(`${seed}:${host}`);
  const bare = host.replace(/\.example$/, "").replace(/^[a-z0-9]+-/, "");
  const name =
    bare
      .split("-")
      .map((w) => w.charAt(0).toUpperCase() + w.slice(1))
      .join(" ") || "Example";
  const dated = host.startsWith("dated-") || (!host.startsWith("modern-") && random.chance(0.4));
  const phoneLine = random.whole(100, 199);
  const areaCode = random.pick(["312", "212", "415", "206", "512", "303", "617", "404"]);
  return {
    name,
    title: `${name} | ${random.pick(["Home", "Welcome", "Official site"])}`,
    dated,
    viewport: !dated,
    contactForm: random.chance(dated ? 0.25 : 0.7),
    ...(random.chance(0.7) ? { email: `${random.pick(["info", "contact", "hello"])}@${host}` } : {}),
    ...(random.chance(0.85) ? { phone: `+1${areaCode}5550${phoneLine}` } : {}),
    social: random.chance(dated ? 0.2 : 0.8)
      ? {
          facebook: `https://www.facebook.com/${bare.replaceAll("-", "")}`,
          instagram: `https://www.instagram.com/${bare.replaceAll("-", "")}`,
        }
      : {},
    technologies: dated
      ? { WordPress: random.pick(["3.9.2", "4.1", "4.9.8"]), jQuery: random.pick(["1.4.2", "1.7.1", "1.11.3"]) }
      : random.pick([{ WordPress: "6.8.2", jQuery: "3.7.1" }, { "Next.js": "" }, { Shopify: "" }] as Record<
          string,
          string
        >[]),
  };
}

/** The page itself, about `bytes` long, in ASCII. */
export function playedPage(site: PlayedSite, host: string, seed: string, bytes = 20_000): string {
  const random = new Random(`${seed}:${host}:page`);
  const sentence = () => {
    const length = random.whole(8, 18);
    const text = Array.from({ length }, () => random.pick(words)).join(" ");
    return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
  };
  const body: string[] = [];
  let size = 2_500;
  for (let n = 1; size < bytes; n++) {
    const block = site.dated ? datedBlock(n, sentence) : modernBlock(n, sentence);
    body.push(block);
    size += block.length;
  }
  return site.dated ? datedPage(site, body) : modernPage(site, body);
}

function datedBlock(n: number, sentence: () => string): string {
  return `<table width="760" cellspacing="0" cellpadding="4" border="0"><tr><td bgcolor="#eeeecc" width="140"><img src="/images/pic${n}.gif" width="120" height="90"></td><td><font face="Verdana" size="2" color="#333333"><b>${sentence()}</b><br>${sentence()} ${sentence()} <a href="/page${n % 9}.html">more...</a></font></td></tr></table>\n`;
}

function modernBlock(n: number, sentence: () => string): string {
  return `<section class="block block--text py-12 lg:py-16" id="s${n}"><div class="container mx-auto px-4 grid md:grid-cols-2 gap-8"><picture><source type="image/avif" srcset="/media/p${n}-800.avif 800w, /media/p${n}-1600.avif 1600w"><img class="rounded-xl shadow" loading="lazy" src="/media/p${n}-800.jpg" alt="${sentence().slice(0, 40)}"></picture><div class="prose"><h2>${sentence()}</h2><p>${sentence()} ${sentence()}</p><p><a class="btn btn--primary" href="/services/item-${n % 11}/">Learn more</a></p></div></div></section>\n`;
}

function contacts({ email, phone, social }: PlayedSite): string {
  const digits = phone?.slice(2);
  return [
    email ? `<a href="mailto:${email}?subject=Hello">${email}</a>` : "",
    digits ? `Call (${digits.slice(0, 3)}) ${digits.slice(3, 6)}-${digits.slice(6)}` : "",
    ...Object.entries(social).map(([network, url]) => `<a rel="noopener" href="${url}">${network}</a>`),
  ].join(" &middot; ");
}

const form = `<form action="/contact" method="post"><input type="text" name="name"><input type="email" name="email"><textarea name="message" rows="5"></textarea><input type="submit" value="Send"></form>`;

function datedPage(site: PlayedSite, body: string[]): string {
  const { WordPress: wordpress, jQuery: jquery } = site.technologies;
  return `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">
<html><head><title>${site.title}</title>
<meta name="generator" content="WordPress ${wordpress}">
<meta name="keywords" content="${site.name}, best, local">
<script type="text/javascript" src="/wp-includes/js/jquery/jquery.js?ver=${jquery}"></script>
<link rel="stylesheet" href="/wp-content/themes/twentyten/style.css" type="text/css">
</head><body bgcolor="#ffffff" link="#0000ff" vlink="#800080"><center><font size="6">${site.name}</font></center>
<p><a href="/index.html">Home</a> | <a href="/about.html">About</a> | <a href="/contact.html">Contact</a></p>
${body.join("")}
${site.contactForm ? form : ""}<hr><center><font size="1">${contacts(site)}<br>Best viewed at 800x600</font></center></body></html>`;
}

function modernPage(site: PlayedSite, body: string[]): string {
  const t = site.technologies;
  const head =
    "Next.js" in t
      ? `<script src="/_next/static/chunks/main-8f2b1c.js" defer></script><script id="__NEXT_DATA__" type="application/json">{"props":{}}</script>`
      : "Shopify" in t
        ? `<script src="https://cdn.shopify.com/s/files/1/0001/t/2/assets/theme.js" defer></script>`
        : `<meta name="generator" content="WordPress ${t["WordPress"]}"><script src="/wp-includes/js/jquery/jquery.min.js?ver=${t["jQuery"]}" defer></script>`;
  return `<!doctype html><html lang="en-US"><head><meta charset="utf-8"><title>${site.title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="description" content="${site.name}: what we do, where we are, and how to reach us.">
<meta property="og:title" content="${site.name}">${head}
<link rel="preload" as="font" href="/fonts/inter.woff2" crossorigin><style>:root{--brand:#0a5}body{font:1rem/1.6 Inter,sans-serif}</style>
</head><body><header class="sticky top-0"><nav><a href="/">Home</a><a href="/about/">About</a><a href="/services/">Services</a><a href="/contact/">Contact</a></nav></header>
<main><h1>${site.name}</h1>${body.join("")}${site.contactForm ? form : ""}</main>
<footer>${contacts(site)}</footer></body></html>`;
}
