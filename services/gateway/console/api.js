import { useCallback, useEffect, useRef, useState } from "preact/hooks";

/** The API, asked with the session's cookie. */

/** What the API answers where it does not do what was asked: a problem (RFC 9457), or that nobody answers. */
export class Problem extends Error {
  /** @param {number} status 0: nobody answered. @param {any} problem */
  constructor(status, problem) {
    super(problem?.detail ?? "The gateway does not answer.");
    this.status = status;
    this.title = problem?.title ?? "No answer";
    this.dependency = problem?.dependency;
    /** @type {{ field: string, message: string }[]} */
    this.faults = problem?.faults ?? [];
    this.requestId = problem?.instance;
  }
}

/** Told when the session is over. */
export const signedOut = new EventTarget();

/** How long an answer is waited for, ms: a gateway asks the service behind it three times, 10 s each, at the most. */
const latestMs = 45_000;
/** The same of what is asked again anyway, ms: the first of those times may fail. */
const latestLoadMs = 15_000;

/** @param {Error} error Why nothing came that can be read. @param {number} withinMs ms */
const unanswered = ({ name }, withinMs) => {
  if (name === "TimeoutError") return new Problem(0, { detail: `Nothing came within ${withinMs / 1_000} seconds.` });
  if (name === "SyntaxError") return new Problem(0, { detail: "What came breaks off, or is not the gateway's." });
  return new Problem(0, null);
};

/**
 * @param {string} path
 * @param {{ method?: string, body?: object | undefined, signal?: AbortSignal, withinMs?: number }} [options]
 * @returns {Promise<any>} Throws a {@link Problem}: also where the answer breaks off, or is no JSON and so none of ours.
 */
export async function api(path, { method = "GET", body, signal, withinMs = latestMs } = {}) {
  const late = AbortSignal.timeout(withinMs);
  const answer = await fetch(path, {
    method,
    signal: signal ? AbortSignal.any([signal, late]) : late,
    ...(body && { body: JSON.stringify(body) }),
    headers: {
      ...(body && { "content-type": "application/json" }),
      ...(method !== "GET" && { "x-leads-console": "1" }),
    },
  }).catch((error) => {
    throw unanswered(error, withinMs);
  });
  const json = await answer.json().catch((error) => {
    if (answer.ok) throw unanswered(error, withinMs);
    return null;
  });
  if (answer.ok) return json;
  if (answer.status === 401 && path !== "/console/session") signedOut.dispatchEvent(new Event("end"));
  throw new Problem(answer.status, json);
}

/** Those of the values that are given, as a query: "?a=1&b=2", or "". @param {Record<string, unknown>} values */
export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== "" && value !== null);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text === "" ? "" : `?${text}`;
}

/**
 * What a path answers, asked again every so often while the page is seen. What was last known stays while it cannot be
 * had, or does not come within a quarter of a minute: `error` says so beside it.
 *
 * @param {string | null} path null: nothing is asked.
 * @param {number} [everyMs] 0: once.
 */
export function useLoad(path, everyMs = 0) {
  const [state, setState] = useState(
    /** @type {{ path: string | null, data: any, error: Problem | null, at: number }} */ ({
      path,
      data: null,
      error: null,
      at: 0,
    }),
  );
  const again = useRef(() => {});
  useEffect(() => {
    if (path === null) return;
    const gone = new AbortController();
    let timer = 0;
    let busy = false;
    const load = async () => {
      clearTimeout(timer);
      if (busy) return;
      busy = true;
      if (!document.hidden || everyMs === 0) {
        await api(path, { signal: gone.signal, withinMs: everyMs > 0 ? latestLoadMs : latestMs }).then(
          (data) => !gone.signal.aborted && setState({ path, data, error: null, at: Date.now() }),
          (error) =>
            !gone.signal.aborted &&
            setState((before) => ({ ...(before.path === path ? before : { path, data: null, at: 0 }), error })),
        );
      }
      busy = false;
      if (everyMs > 0 && !gone.signal.aborted) timer = setTimeout(load, everyMs);
    };
    again.current = load;
    const seen = () => !document.hidden && load();
    document.addEventListener("visibilitychange", seen);
    load();
    return () => {
      gone.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [path, everyMs]);
  const reload = useCallback(() => again.current(), []);
  const current = state.path === path;
  return { data: current ? state.data : null, error: current ? state.error : null, at: state.at, reload };
}

/**
 * The items of a list that comes in pages, as far as they were asked for.
 *
 * @param {(cursor: string | undefined) => string} pathOf
 * @param {unknown[]} on What makes it another list.
 */
export function usePages(pathOf, on) {
  const [state, setState] = useState(
    /** @type {{ items: any[], next: string | null | undefined, error: Problem | null, busy: boolean }} */ ({
      items: [],
      next: undefined,
      error: null,
      busy: true,
    }),
  );
  const run = useRef({ id: 0, busy: false });
  const load = useCallback(async (/** @type {string | undefined} */ cursor, /** @type {number} */ id) => {
    run.current.busy = true;
    setState((s) => ({ ...s, busy: true, error: null }));
    try {
      const page = await api(pathOf(cursor));
      if (run.current.id !== id) return;
      run.current.busy = false;
      setState((s) => ({
        items: cursor === undefined ? page.items : [...s.items, ...page.items],
        next: page.next ?? null,
        error: null,
        busy: false,
      }));
    } catch (error) {
      if (run.current.id !== id) return;
      run.current.busy = false;
      setState((s) => ({ ...s, error: /** @type {Problem} */ (error), busy: false }));
    }
  }, on);
  const reload = useCallback(() => {
    run.current.id++;
    load(undefined, run.current.id);
  }, [load]);
  useEffect(() => {
    setState({ items: [], next: undefined, error: null, busy: true });
    reload();
    return () => {
      run.current.id++;
    };
  }, [reload]);
  const more = useCallback(() => {
    if (state.next && !run.current.busy) load(state.next, run.current.id);
  }, [load, state.next]);
  // A page may be empty and still have a next one.
  useEffect(() => {
    if (state.next && state.items.length === 0 && !state.busy && !state.error) more();
  }, [state, more]);
  return { ...state, more, reload };
}

/** An action with its state: `run` it, and see that it is at work or what it failed with. @param {(...args: any[]) => Promise<any>} act */
export function useAct(act) {
  const [state, setState] = useState(
    /** @type {{ busy: boolean, error: Problem | null }} */ ({ busy: false, error: null }),
  );
  const run = async (/** @type {any[]} */ ...args) => {
    setState({ busy: true, error: null });
    try {
      const result = await act(...args);
      setState({ busy: false, error: null });
      return result;
    } catch (error) {
      setState({ busy: false, error: /** @type {Problem} */ (error) });
      return undefined;
    }
  };
  return { ...state, run };
}
