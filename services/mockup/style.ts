import type { Palette } from "./palettes.ts";

/** The page's only style sheet. System fonts; nothing is loaded. */
export function style({ ink, muted, paper, tint, brand, deep, accent }: Palette): string {
  return `:root{--ink:${ink};--muted:${muted};--paper:${paper};--tint:${tint};--brand:${brand};--deep:${deep};--accent:${accent}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
@media(prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.65 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",Arial,sans-serif;overflow-wrap:anywhere}
h1,h2,h3{line-height:1.15;margin:0;letter-spacing:-.018em;text-wrap:balance;font-family:Charter,"Bitstream Charter",Georgia,"Noto Serif","Liberation Serif",serif;font-weight:700}
h1{font-size:clamp(2.3rem,1.5rem + 3.4vw,4rem)}h2{font-size:clamp(1.7rem,1.3rem + 1.6vw,2.5rem)}h3{font-size:1.15rem;letter-spacing:0}
p{margin:0}a{color:var(--brand)}ul,ol{margin:0;padding:0;list-style:none}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px;border-radius:4px}
.wrap{width:min(72rem,100% - 2.5rem);margin-inline:auto}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:1rem;background:#fff;padding:.6rem 1rem;z-index:9}
header{position:sticky;top:0;z-index:2;background:var(--paper);border-bottom:1px solid color-mix(in srgb,var(--ink) 10%,transparent)}
header .wrap{display:flex;align-items:center;gap:1.75rem;min-height:4.75rem;padding-block:.6rem}
.brand{display:flex;align-items:center;gap:.8rem;margin-inline-end:auto;font-weight:700;line-height:1.25;color:var(--ink);text-decoration:none;min-width:0}
.brand span:last-child{display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;overflow:hidden}
.sign{flex:none;display:grid;place-items:center;width:2.75rem;height:2.75rem;border-radius:.8rem;background:var(--brand);color:#fff;letter-spacing:.02em}
nav{flex:none}nav ul{display:flex;gap:1.5rem;white-space:nowrap}nav a{color:var(--muted);text-decoration:none;padding-block:.5rem}nav a:hover{color:var(--ink);text-decoration:underline}
.button{display:inline-flex;align-items:center;justify-content:center;min-height:3.1rem;padding:.7rem 1.5rem;border-radius:.8rem;background:var(--brand);border:2px solid var(--brand);color:#fff;font-weight:650;text-decoration:none;line-height:1.2;text-align:center}
.button:hover{background:var(--deep);border-color:var(--deep)}
.button.plain{background:transparent;color:var(--brand);border-color:color-mix(in srgb,var(--brand) 35%,transparent)}.button.plain:hover{background:var(--tint)}
header .button{min-height:2.75rem;padding:.5rem 1.15rem;white-space:nowrap}
.hero .wrap{display:grid;grid-template-columns:1.08fr .92fr;gap:clamp(2rem,5vw,4.5rem);align-items:center;padding-block:clamp(2.75rem,6vw,5.5rem)}
.eyebrow{color:var(--brand);font-weight:650;font-size:.95rem;letter-spacing:.02em;margin-bottom:1rem}
.lead{font-size:1.22rem;line-height:1.55;color:var(--muted);margin-top:1.25rem;max-width:34rem}
.actions{display:flex;flex-wrap:wrap;gap:.85rem;margin-top:2rem}
.picture{display:block;width:100%;height:auto;aspect-ratio:8/7;border-radius:1.6rem}
.known{display:flex;flex-wrap:wrap;gap:.6rem;margin-top:1.5rem}.known li{background:var(--paper);border:1px solid color-mix(in srgb,var(--brand) 28%,transparent);border-radius:2rem;padding:.35rem 1rem;font-size:.97rem;font-weight:600}
.band{padding-block:clamp(3.25rem,7vw,6rem)}.tint{background:var(--tint)}
.head{max-width:42rem;margin-bottom:2.25rem}.head p{color:var(--muted);margin-top:.9rem;font-size:1.1rem}
ul.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:1.1rem}
ul.cards li{background:var(--paper);border:1px solid color-mix(in srgb,var(--ink) 9%,transparent);border-top:4px solid var(--brand);border-radius:1rem;padding:1.5rem}
ul.cards p,ol.steps p{color:var(--muted);margin-top:.45rem}
ol.steps{display:grid;grid-template-columns:repeat(auto-fit,minmax(14rem,1fr));gap:2rem;counter-reset:step}
ul.cards:has(li:nth-child(5)),ol.steps:has(li:nth-child(5)){grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr))}
ol.steps li{counter-increment:step}
ol.steps li::before{content:counter(step);display:grid;place-items:center;width:2.75rem;height:2.75rem;margin-bottom:1rem;border-radius:50%;background:var(--tint);border:2px solid var(--brand);color:var(--brand);font-weight:700}
section.about .wrap{display:grid;grid-template-columns:1fr 1fr;gap:1rem clamp(2rem,5vw,4.5rem)}section.about .head{display:contents}section.about .head p{margin:0;font-size:1.3rem;line-height:1.55;color:var(--ink)}section.about .known{grid-column:2;margin-top:.5rem}
.contact .wrap{display:grid;grid-template-columns:1fr 1fr;gap:clamp(2rem,5vw,4.5rem);align-items:center}
.contact{background:var(--deep);color:#fff}.contact .head{margin:0}.contact .head p{color:#fff;opacity:.86}
.contact .button{background:#fff;border-color:#fff;color:var(--deep)}.contact .button:hover{background:var(--tint)}
.contact dl{margin:0;background:#fff;color:var(--ink);border-radius:1.25rem;padding:.5rem 1.75rem}
.contact dl div{padding-block:1.1rem}.contact dl div+div{border-top:1px solid color-mix(in srgb,var(--ink) 12%,transparent)}
dt{font-size:.9rem;color:var(--muted)}dd{margin:.15rem 0 0;font-weight:600}dd a{text-underline-offset:.2em}
.notes{background:#fff8dc;color:#33290a;border-top:1px solid #e6d9a0;font-size:1rem}.notes .wrap{padding-block:2.75rem}.notes h2{font-size:1.4rem}
.notes ul{margin-top:1.1rem;display:grid;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr));gap:.7rem 2.25rem}.notes li{padding-inline-start:1.7rem;position:relative}
.notes li::before{content:"→";position:absolute;inset-inline-start:0;font-weight:700}.notes p{margin-top:1rem;max-width:46rem}
footer{padding-block:2rem;color:var(--muted);font-size:.95rem}footer .wrap{display:flex;flex-wrap:wrap;gap:.5rem 2rem;justify-content:space-between}footer ul{display:flex;flex-wrap:wrap;gap:1.25rem}
@media(max-width:56rem){nav{display:none}.hero .wrap,.contact .wrap,section.about .wrap{grid-template-columns:1fr}section.about .known{grid-column:1}.picture{aspect-ratio:16/10}.button{flex:1 1 auto}header .button{flex:none}header .wrap{gap:1rem;min-height:4.25rem}}
@media(max-width:40rem){ol.steps{gap:1.4rem}ol.steps li{display:grid;grid-template-columns:2.75rem 1fr;column-gap:1.1rem;align-items:center}ol.steps li::before{margin:0;grid-row:1/3}ol.steps p{margin-top:.15rem}}
@media(max-width:30rem){.brand{font-size:.98rem}.sign{width:2.4rem;height:2.4rem}}
@media print{header{position:static}.notes{display:none}}`;
}
