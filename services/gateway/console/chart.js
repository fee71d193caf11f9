import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { html } from "./html.js";

/** @param {string} name */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** What a scale says, once where two steps read alike. @param {number[]} splits @param {(value: number) => string} format */
const named = (splits, format) =>
  splits.map((value, n) => (n > 0 && format(value) === format(splits[n - 1] ?? 0) ? "" : format(value)));

/** As fine as the scale's steps are. @param {number} ms @param {number} step ms */
function moment(ms, step) {
  const date = new Date(ms);
  if (step >= 12 * 3_600_000) return date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return date.toLocaleTimeString("en-GB").slice(0, step < 60_000 ? 8 : 5);
}

/** The legend tells the last point's values while nobody points at another. @param {uPlot | null} plot */
const showLast = (plot) => plot?.setLegend({ idx: plot.data[0].length - 1 }, false);

/**
 * Curves over time.
 *
 * @param {{
 *   title: string,
 *   at: number[],
 *   series: { name: string, values: (number | null)[], colour: string }[],
 *   format: (value: number) => string,
 *   height?: number,
 *   least?: number,
 * }} props `colour` is a custom property's name. `least`: the scale reaches that far at least.
 */
export function Chart({ title, at, series, format, height = 150, least = 1 }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | null} */ (null));
  const data = /** @type {uPlot.AlignedData} */ ([at, ...series.map(({ values }) => values)]);
  const latest = useRef(data);
  latest.current = data;
  const names = series.map(({ name }) => name).join();
  useEffect(() => {
    const element = /** @type {HTMLDivElement} */ (box.current);
    const draw = () => {
      plot.current?.destroy();
      const axis = {
        stroke: colour("--muted"),
        font: "11px system-ui, sans-serif",
        grid: { stroke: colour("--line"), width: 1 },
        ticks: { show: false },
      };
      plot.current = new uPlot(
        {
          width: element.clientWidth || 300,
          height,
          ms: 1,
          padding: [8, 8, 0, 0],
          cursor: { y: false, points: { size: 6 } },
          legend: { show: true, live: true },
          hooks: { setCursor: [(u) => (u.cursor.left ?? -1) < 0 && showLast(u)] },
          scales: { y: { range: (_plot, _min, max) => [0, Math.max(max ?? 0, least) * 1.1] } },
          axes: [
            {
              ...axis,
              size: 26,
              space: 64,
              values: (_plot, splits, _axis, _space, incr) => splits.map((ms) => moment(ms, incr)),
            },
            { ...axis, size: 58, space: 36, values: (_plot, splits) => named(splits, format) },
          ],
          series: [
            { value: (_plot, ms) => (ms == null ? "–" : new Date(ms).toLocaleTimeString("en-GB")) },
            ...series.map(({ name, colour: property }) => ({
              label: name,
              stroke: colour(property),
              width: 1.5,
              fill: series.length === 1 ? `${colour(property)}22` : undefined,
              points: { show: at.length < 3 },
              value: (_plot, value) => (value == null ? "–" : format(value)),
            })),
          ],
        },
        latest.current,
        element,
      );
      showLast(plot.current);
    };
    draw();
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    addEventListener("theme", draw);
    return () => {
      observer.disconnect();
      removeEventListener("theme", draw);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [names, height, at.length < 3]);
  useEffect(() => {
    plot.current?.setData(latest.current);
    showLast(plot.current);
  }, [JSON.stringify(data)]);
  const said = series.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    return known.length === 0
      ? `${name}: nothing yet`
      : `${name}: now ${format(known.at(-1) ?? 0)}, at most ${format(Math.max(...known))}`;
  });
  return html`<figure class="chart">
    <figcaption>${title}</figcaption>
    <p class="sr-only">${said.join(". ")}.</p>
    <div ref=${box} aria-hidden="true" />
  </figure>`;
}

/** A small curve without axes. @param {{ values: (number | null)[], tone?: string }} props */
export function Spark({ values, tone = "" }) {
  const known = values.map((value) => value ?? 0);
  if (known.length < 2) return html`<svg class="spark" viewBox="0 0 100 24" aria-hidden="true" />`;
  const most = Math.max(1, ...known);
  const points = known.map(
    (value, n) => `${((n / (known.length - 1)) * 100).toFixed(1)},${(22 - (value / most) * 20).toFixed(1)}`,
  );
  return html`<svg class=${`spark ${tone}`} viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
    <polygon points=${`0,24 ${points.join(" ")} 100,24`} />
    <polyline points=${points.join(" ")} vector-effect="non-scaling-stroke" />
  </svg>`;
}
