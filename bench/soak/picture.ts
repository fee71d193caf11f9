import type { Minute } from "./watch.ts";

const width = 960;
const panelHeight = 150;
const left = 70;
const right = 190;
const gap = 46;
const colours = ["#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f"];

interface Curve {
  name: string;
  /** Null where there is nothing to show. */
  values: (number | null)[];
}

interface Panel {
  title: string;
  curves: Curve[];
}

/** The curves of a soak as an SVG picture: rate, times, memory and descriptors, size of what is kept. */
export function picture(minutes: readonly Minute[]): string {
  const panels = panelsOf(minutes);
  const height = panels.length * (panelHeight + gap) + 20;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-labelledby="title">`,
    `<title id="title">A soak, minute by minute: rate, times, memory, open descriptors, what is kept</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...panels.map((panel, n) => drawn(panel, minutes, gap / 2 + n * (panelHeight + gap) + 10)),
    "</svg>",
    "",
  ].join("\n");
}

function panelsOf(minutes: readonly Minute[]): Panel[] {
  const of = (name: string, value: (minute: Minute) => number | null | undefined): Curve => ({
    name,
    values: minutes.map((minute) => value(minute) ?? null),
  });
  const megabytes = (bytes: number | undefined) => (bytes === undefined ? null : bytes / 2 ** 20);
  const names = [...new Set(minutes.flatMap(({ processes }) => Object.keys(processes)))];
  const lasting = names.filter(
    (name) => minutes.filter(({ processes }) => processes[name]).length > minutes.length / 2,
  );
  const total = (minute: Minute, which: "memoryBytes" | "descriptors", some: (name: string) => boolean) =>
    lasting.filter(some).reduce((sum, name) => sum + (minute.processes[name]?.[which] ?? 0), 0);
  const server = (name: string) => /^(nats|postgres|redis)$/.test(name);
  const largest = lasting
    .filter((name) => !server(name))
    .sort((a, b) => meanOf(minutes, b) - meanOf(minutes, a))
    .slice(0, 4);
  return [
    { title: "leads a second", curves: [of("answered 202", (m) => m.accepted / m.seconds)] },
    {
      title: "ms, the API's answer",
      curves: [of("average", (m) => m.api?.average), of("p95", (m) => m.api?.p95)],
    },
    {
      title: "s, from 202 to the end",
      curves: [
        of("average", (m) => m.endToEnd && m.endToEnd.average / 1_000),
        of("p95", (m) => m.endToEnd && m.endToEnd.p95 / 1_000),
      ],
    },
    {
      title: "MB of memory, one process",
      curves: largest.map((name) => of(name, (m) => megabytes(m.processes[name]?.memoryBytes))),
    },
    {
      title: "MB of memory, in all",
      curves: [
        of("services", (m) => megabytes(total(m, "memoryBytes", (name) => !server(name)))),
        ...["postgres", "nats"].map((name) => of(name, (m) => megabytes(m.processes[name]?.memoryBytes))),
      ],
    },
    {
      title: "open descriptors, in all",
      curves: [
        of("services", (m) => total(m, "descriptors", (name) => !server(name))),
        of("servers", (m) => total(m, "descriptors", server)),
      ],
    },
    {
      title: "MB kept",
      curves: [
        of("database", (m) => megabytes(m.databaseBytes)),
        of("streams", (m) => megabytes(Object.values(m.streams).reduce((sum, { bytes }) => sum + bytes, 0))),
      ],
    },
  ];
}

function meanOf(minutes: readonly Minute[], name: string): number {
  return minutes.reduce((sum, { processes }) => sum + (processes[name]?.memoryBytes ?? 0), 0) / minutes.length;
}

function drawn({ title, curves }: Panel, minutes: readonly Minute[], top: number): string {
  const highest = roundUp(Math.max(1e-9, ...curves.flatMap(({ values }) => values.filter((value) => value !== null))));
  const last = Math.max(2, minutes.length) - 1;
  const x = (n: number) => left + (n / last) * (width - left - right);
  const y = (value: number) => top + panelHeight - (value / highest) * panelHeight;
  const grid = [0, 0.5, 1].map(
    (share) =>
      `<line x1="${left}" x2="${width - right}" y1="${y(highest * share)}" y2="${y(highest * share)}" stroke="#e5e7eb"/>` +
      `<text x="${left - 8}" y="${y(highest * share) + 4}" text-anchor="end" fill="#6b7280">${Number((highest * share).toPrecision(3))}</text>`,
  );
  const lines = curves.map(({ name, values }, n) => {
    const points = values.flatMap((value, at) =>
      value === null ? [] : [`${x(at).toFixed(1)},${y(value).toFixed(1)}`],
    );
    const colour = colours[n % colours.length];
    return (
      `<polyline points="${points.join(" ")}" fill="none" stroke="${colour}" stroke-width="1.8"/>` +
      `<text x="${width - right + 12}" y="${top + 14 + n * 18}" fill="${colour}">${name}</text>`
    );
  });
  const ends = [minutes[0]?.minute ?? 0, minutes.at(-1)?.minute ?? 0].map(
    (minute, n) =>
      `<text x="${n === 0 ? left : width - right}" y="${top + panelHeight + 16}" text-anchor="${n === 0 ? "start" : "end"}" fill="#6b7280">${minute} min</text>`,
  );
  return [`<text x="${left}" y="${top - 8}" font-weight="600">${title}</text>`, ...grid, ...lines, ...ends].join("\n");
}

/** The next of 1, 2, 5, 10, 20, 50 … */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value)! * power;
}
