import type { Palette } from "./palettes.ts";

/** One drawing a template: strokes on a field of 48 x 48. */
const drawings: Readonly<Record<string, string>> = {
  brewery:
    '<path d="M13 18v20a3 3 0 0 0 3 3h14a3 3 0 0 0 3-3V18"/><path d="M33 22h3a4 4 0 0 1 4 4v6a4 4 0 0 1-4 4h-3"/><path d="M19 25v10M23 25v10M27 25v10"/><path d="M13 18c-3 0-4-5 0-6 0-4 6-5 8-2 2-3 8-2 8 2 4-1 6 6 2 6-1 0-2 2-4 2s-2-2-4-2-2 2-4 2-2-2-6-2z"/>',
  restaurant: '<path d="M14 7v9a4 4 0 0 0 8 0V7M18 7v34"/><path d="M33 27V7c-5 2-6 9-6 15 0 3 2 5 6 5zM33 27v14"/>',
  childcare:
    '<circle cx="14" cy="15" r="5"/><path d="M14 5v2M14 23v2M4 15h2M22 15h2M7 8l1.500 1.500M19.500 20.500L21 22M21 8l-1.500 1.500M8.500 20.500L7 22"/><path d="M8 42V31h12v11zM20 42V26h10v16zM30 42l7-14 7 14z"/>',
  trades:
    '<path d="M30 8a9 9 0 0 0-8 12L8 34a4.200 4.200 0 0 0 6 6l14-14a9 9 0 0 0 12-10l-6 5-6-1-1-6 5-6a10 10 0 0 0-2 0z"/><circle cx="11" cy="37" r="1"/>',
  health:
    '<path d="M24 41S7 31 7 18.500A9 9 0 0 1 24 14a9 9 0 0 1 17 4.500C41 31 24 41 24 41z"/><path d="M24 19v11M18.500 24.500h11"/>',
  legal:
    '<path d="M24 7v33M15 41h18M10 13c5 1 9-1 14-3 5 2 9 4 14 3"/><path d="M10 13L4.500 27a6 6 0 0 0 11 0zM38 13l-5.500 14a6 6 0 0 0 11 0z"/>',
  auto: '<path d="M6 32v-7l4-2 5-9h16l7 9 4 2v7h-4M14 32h18"/><circle cx="11" cy="33" r="4"/><circle cx="35" cy="33" r="4"/><path d="M13 22h22M24 14v8"/>',
  beauty:
    '<circle cx="13" cy="35" r="5"/><circle cx="35" cy="35" r="5"/><path d="M16 31L34 7M32 31L14 7"/><circle cx="24" cy="20" r=".6"/>',
  fitness: '<path d="M16 24h16M12 15v18M16 13v22M8 19v10M32 13v22M36 15v18M40 19v10"/>',
  retail: '<path d="M10 16h28l3 26H7z"/><path d="M17 21v-7a7 7 0 0 1 14 0v7"/>',
  business:
    '<path d="M8 22v20h32V22M5 15l4-8h30l4 8"/><path d="M5 15a4.700 4.700 0 0 0 9.500 0 4.700 4.700 0 0 0 9.500 0 4.700 4.700 0 0 0 9.500 0 4.700 4.700 0 0 0 9.500 0zM14 42V29h9v13M28 29h7v6h-7z"/>',
};

/** The opening picture: hills of the palette with the trade's sign before them. Decoration: hidden from readers. */
export function picture(template: string, { deep, brand, accent, tint }: Palette): string {
  const drawing = Object.hasOwn(drawings, template) ? drawings[template]! : drawings["business"]!;
  return `<svg class="picture" viewBox="0 0 480 420" aria-hidden="true" focusable="false" preserveAspectRatio="xMidYMid slice">
<rect width="480" height="420" fill="${deep}"/>
<circle cx="368" cy="104" r="58" fill="${accent}"/>
<circle cx="368" cy="104" r="92" fill="${accent}" opacity=".16"/>
<path d="M0 262c70-60 132-58 204-16s150 40 276-52v226H0z" fill="${brand}" opacity=".55"/>
<path d="M0 322c92-66 168-46 246-12s154 24 234-30v140H0z" fill="${brand}"/>
<path d="M0 380c100-40 190-34 260-14s150 12 220-18v72H0z" fill="${tint}" opacity=".16"/>
<g transform="translate(112 92)"><rect width="216" height="216" rx="48" fill="#fff" opacity=".97"/>
<g transform="translate(38 38) scale(2.917)" fill="none" stroke="${brand}" stroke-width="1.900" stroke-linecap="round" stroke-linejoin="round">${drawing}</g></g>
</svg>`;
}
