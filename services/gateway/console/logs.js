import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { api, Problem, query } from "./api.js";
import { clock, count } from "./format.js";
import { html } from "./html.js";
import { address } from "./leads.js";
import { Badge, Dialog, Empty, ErrorNote, Facts, Field, Head, Loading, Select } from "./ui.js";
import { VirtualTable } from "./virtual.js";

/** Lines that are kept in the page: the oldest go first. */
const most = 10_000;
const levels = ["error", "warn", "info", "debug"];
const minuteMs = 60_000;
/** Pages that are read of a period; what comes after them is for a narrower filter. */
const pagesRead = 30;
/** A stream that ended is opened anew after this, ms. */
const reopenMs = 3_000;
const notFollowed = new Problem(0, {
  title: "Not followed",
  detail: "The gateway does not tell what comes. It is asked again every few seconds.",
});

const columns = [
  {
    name: "Time",
    width: "100px",
    class: "mono muted",
    cell: (/** @type {any} */ line) => clock(Date.parse(line.time)),
  },
  { name: "Level", width: "76px", cell: (/** @type {any} */ line) => html`<${Badge} state=${line.level} />` },
  { name: "Module", width: "110px", class: "less mono", cell: (/** @type {any} */ line) => line.module },
  {
    name: "Message",
    width: "minmax(180px, 1fr)",
    cell: (/** @type {any} */ line) => html`<button type="button" class="row-open">${line.message}</button>`,
  },
  {
    name: "Node",
    width: "minmax(80px, 160px)",
    class: "less mono muted",
    cell: (/** @type {any} */ line) => line.node,
  },
];

/** The lines of a filter: the last quarter of an hour, or all that is kept; then, where it is followed, what comes. @param {Record<string, string>} filter @param {boolean} follow */
function useLines(filter, follow) {
  const [state, setState] = useState({
    lines: /** @type {any[]} */ ([]),
    busy: true,
    error: /** @type {any} */ (null),
    cut: false,
  });
  const [turn, setTurn] = useState(0);
  const at = useRef(0);
  const key = JSON.stringify(filter);
  useEffect(() => {
    let gone = false;
    let reopening = 0;
    /** @type {EventSource | undefined} */
    let source;
    /** @type {any[]} */
    let arrived = [];
    const add = (/** @type {any[]} */ lines) =>
      setState((s) => ({
        ...s,
        lines: [...s.lines, ...lines.map((line) => ({ ...line, key: at.current++ }))].slice(-most),
      }));
    // Lines that come by the hundred are shown ten times a second.
    const timer = setInterval(() => {
      if (arrived.length > 0) add(arrived);
      arrived = [];
    }, 100);
    // Opening anew is not left to the browser: it gives up at the first answer that is no stream.
    const open = (/** @type {Record<string, unknown>} */ asked) => {
      let next = asked;
      let opened = false;
      const stream = new EventSource(`/v1/logs${query(asked)}`);
      source = stream;
      stream.onopen = () => {
        opened = true;
        setState((s) => ({ ...s, error: null }));
      };
      stream.onmessage = (event) => {
        arrived.push(JSON.parse(event.data));
        next = { ...asked, cursor: Number(event.lastEventId) + 1 };
      };
      stream.onerror = () => {
        stream.close();
        // That one ends which was open is no fault: the gateway lets each go in its time.
        if (!opened) setState((s) => ({ ...s, error: notFollowed }));
        reopening = setTimeout(open, reopenMs, next);
      };
    };
    const read = async () => {
      setState({ lines: [], busy: true, error: null, cut: false });
      try {
        const until = Date.now();
        const { minutes = "15", ...rest } = filter;
        const from = until - Number(minutes) * minuteMs;
        let cursor;
        let pages = 0;
        do {
          const page = await api(`/v1/logs${query({ ...rest, from, to: until, limit: 1_000, cursor })}`);
          if (gone) return;
          add(page.items);
          cursor = page.next;
        } while (cursor && ++pages < pagesRead);
        if (cursor) setState((s) => ({ ...s, cut: true }));
        else if (follow) open({ ...rest, follow: true, from: until });
      } catch (error) {
        if (!gone) setState((s) => ({ ...s, error }));
      }
      if (!gone) setState((s) => ({ ...s, busy: false }));
    };
    read();
    return () => {
      gone = true;
      source?.close();
      clearInterval(timer);
      clearTimeout(reopening);
    };
  }, [key, follow, turn]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  return { ...state, reload };
}

/** @param {{ values: Record<string, string> }} props */
export function LogsPage({ values }) {
  const {
    level = "info",
    service = "",
    stage = "",
    lead = "",
    trace = "",
    minutes = lead || trace ? "1440" : "15",
  } = values;
  const [follow, setFollow] = useState(true);
  const [shown, setShown] = useState(/** @type {any} */ (null));
  const [typed, setTyped] = useState({ service, stage, lead: lead || trace });
  const filter = { level, service, stage, lead, trace, minutes };
  const { lines, busy, error, cut, reload } = useLines(filter, follow);
  const open = useCallback((/** @type {any} */ line) => setShown(line), []);
  const change = (/** @type {Record<string, string>} */ more) => {
    location.hash = address("logs", { ...filter, ...more });
  };
  const search = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const word = typed.lead.trim();
    const isTrace = /^[0-9a-f]{32}$/.test(word);
    change({
      service: typed.service.trim(),
      stage: typed.stage.trim(),
      lead: isTrace ? "" : word,
      trace: isTrace ? word : "",
    });
  };
  const input = (
    /** @type {"service" | "stage" | "lead"} */ name,
    /** @type {string} */ label,
    /** @type {string} */ hint,
  ) =>
    html`<${Field} label=${label} class=${name === "lead" ? "wide" : ""}><input placeholder=${hint} value=${typed[name]} onInput=${(/** @type {any} */ event) => setTyped({ ...typed, [name]: event.target.value })} /><//>`;
  return html`<${Head} title="Logs" sub=${`${count(lines.length, "line")} of all processes, newest last`}>
      <label class="check"><input type="checkbox" checked=${follow} onChange=${(/** @type {any} */ event) => setFollow(event.target.checked)} /> Follow</label>
      <button type="button" class="button" onClick=${reload}>Reload</button>
    <//>
    <form class="filters" role="search" onSubmit=${search}>
      <${Select} label="Level" value=${level} options=${levels.map((one) => [one, one === "error" ? "error" : `${one} and worse`])} onChange=${(/** @type {string} */ value) => change({ level: value })} />
      <${Select} label="Since" value=${minutes} options=${[["15", "15 minutes"], ["60", "An hour"], ["1440", "A day"]]} onChange=${(/** @type {string} */ value) => change({ minutes: value })} />
      ${input("service", "Service", "any")} ${input("stage", "Stage", "any")} ${input("lead", "Lead or trace", "id")}
      <button class="button">Filter</button>
      <a class="button plain" href="#/logs" onClick=${() => setTyped({ service: "", stage: "", lead: "" })}>Clear</a>
    </form>
    ${
      cut &&
      html`<div class="note warn" role="status"><div>There is more in this time than is read at once: what you see ends at ${clock(Date.parse(lines.at(-1)?.time))}. Narrow the filter or the time.</div></div>`
    }
    <${ErrorNote} error=${error} retry=${reload} stale=${lines.length > 0} />
    ${
      lines.length === 0
        ? busy
          ? html`<${Loading} />`
          : !error &&
            html`<${Empty} title="No line is like that" icon="logs">${follow ? "What comes is shown here." : ""}<//>`
        : html`<${VirtualTable} label="Log" columns=${columns} items=${lines} keyOf=${keyOf} rowHeight=${32} onOpen=${open} stickToEnd=${follow} />`
    }
    ${
      shown &&
      html`<${Dialog} title=${shown.message} onClose=${() => setShown(null)} wide>
      <${Facts} of=${Object.entries(shown)
        .filter(([name]) => name !== "message" && name !== "key")
        .map(([name, value]) => [
          name,
          html`<code>${typeof value === "object" ? JSON.stringify(value, null, 2) : String(value)}</code>`,
        ])} />
    <//>`
    }`;
}
const keyOf = (/** @type {any} */ line) => String(line.key);
