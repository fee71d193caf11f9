import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { html } from "./html.js";

/** Rows drawn above and below those that are seen. */
const spare = 8;

/**
 * A table of any length: only the rows that are seen are in the page. Rows have one height. Arrow keys, Page Up and Down,
 * Home and End go from row to row where rows hold a link.
 *
 * @param {{
 *   label: string,
 *   columns: { name: string, width: string, class?: string, cell: (item: any) => any, hideName?: boolean }[],
 *   items: any[],
 *   keyOf: (item: any) => string,
 *   rowHeight?: number,
 *   rowClass?: (item: any) => string,
 *   onOpen?: (item: any) => void,
 *   onEnd?: () => void,
 *   stickToEnd?: boolean,
 *   total?: number,
 * }} props
 */
export function VirtualTable(props) {
  const { label, columns, items, keyOf, rowHeight = 40, rowClass, onOpen, onEnd, stickToEnd = false, total } = props;
  const scroller = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [view, setView] = useState({ top: 0, height: 600 });
  const stuck = useRef(true);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setView({ top: element.scrollTop, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element && stickToEnd && stuck.current) element.scrollTop = element.scrollHeight;
  }, [items, stickToEnd]);
  const first = Math.max(0, Math.floor(view.top / rowHeight) - spare);
  const last = Math.min(items.length, Math.ceil((view.top + view.height) / rowHeight) + spare);
  const nearEnd = items.length > 0 && last >= items.length - 2 * spare;
  useEffect(() => {
    if (nearEnd) onEnd?.();
  }, [nearEnd, items.length, onEnd]);
  const widths = (/** @type {typeof columns} */ of) => of.map(({ width }) => width).join(" ");
  const grid = {
    "--rows": `${items.length * rowHeight}px`,
    "--wide": widths(columns),
    "--narrow": widths(columns.filter(({ class: name }) => !name?.includes("less"))),
  };

  const onScroll = () => {
    const element = /** @type {HTMLDivElement} */ (scroller.current);
    stuck.current = element.scrollTop + element.clientHeight >= element.scrollHeight - rowHeight;
    const top = element.scrollTop;
    // Between two rows nothing changes but the browser's own scrolling.
    if (Math.floor(top / rowHeight) !== Math.floor(view.top / rowHeight))
      setView({ top, height: element.clientHeight });
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const element = /** @type {HTMLDivElement} */ (scroller.current);
    const at = /** @type {HTMLElement | null} */ (document.activeElement?.closest("[data-index]"));
    const page = Math.max(1, Math.floor(element.clientHeight / rowHeight) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -items.length, End: items.length };
    const step = steps[event.key];
    if (step === undefined || !onOpen) return;
    event.preventDefault();
    const from = at ? Number(at.dataset["index"]) : -1;
    const to = Math.max(0, Math.min(items.length - 1, from + step));
    if (to * rowHeight < element.scrollTop) element.scrollTop = to * rowHeight;
    const over = (to + 1) * rowHeight - element.clientHeight;
    if (over > element.scrollTop) element.scrollTop = over;
    setView({ top: element.scrollTop, height: element.clientHeight });
    requestAnimationFrame(() => {
      const row = element.querySelector(`[data-index="${to}"] a, [data-index="${to}"] .row-open`);
      /** @type {HTMLElement | null} */ (row)?.focus({ preventScroll: true });
    });
  };
  const onClick = (/** @type {MouseEvent} */ event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (!onOpen || target.closest("a, input, label, button:not(.row-open)") || String(getSelection()) !== "") return;
    const row = /** @type {HTMLElement | null} */ (target.closest("[data-index]"));
    if (row) onOpen(items[Number(row.dataset["index"])]);
  };

  const rows = [];
  for (let n = first; n < last; n++) {
    const item = items[n];
    rows.push(html`<div
      role="row"
      key=${keyOf(item)}
      data-index=${n}
      aria-rowindex=${n + 2}
      class="vt-row ${rowClass?.(item) ?? ""}"
      style=${{ top: `${n * rowHeight}px`, height: `${rowHeight}px` }}
    >
      ${columns.map(
        (column) =>
          html`<div role="cell" key=${column.name} class=${`vt-cell ${column.class ?? ""}`}>${column.cell(item)}</div>`,
      )}
    </div>`);
  }
  return html`<div class="vt" style=${grid} role="table" aria-label=${label} aria-rowcount=${(total ?? items.length) + 1}>
    <div role="rowgroup" class="vt-head">
      <div role="row" class="vt-row" aria-rowindex="1">
        ${columns.map(
          (column) =>
            html`<div role="columnheader" key=${column.name} class=${`vt-cell ${headClass(column.class)}`}>
              <span class=${column.hideName ? "sr-only" : ""}>${column.name}</span>
            </div>`,
        )}
      </div>
    </div>
    <div role="rowgroup" class=${`vt-scroll ${onOpen ? "can-open" : ""}`} tabindex="0" aria-label=${`${label}: rows`} ref=${scroller} onScroll=${onScroll} onKeyDown=${onKeyDown} onClick=${onClick}>
      <div class="vt-space" role="presentation" style=${{ height: `${items.length * rowHeight}px` }}>${rows}</div>
    </div>
  </div>`;
}

/** Of a column's classes those that place it. @param {string | undefined} name */
const headClass = (name = "") =>
  name
    .split(" ")
    .filter((one) => one === "n" || one === "less")
    .join(" ");
