import { useEffect, useState } from "preact/hooks";

/** What happens, as it happens: one stream of events for the whole page, reopened by the browser when it breaks. */

const names = ["stage", "dead-letters", "job", "budget", "import", "missed"];
const heard = new EventTarget();
/** @type {EventSource | undefined} */
let source;
let wanted = false;
/** @type {"off" | "open" | "broken"} */
let state = "off";

/** @param {typeof state} next */
function become(next) {
  state = next;
  heard.dispatchEvent(new Event("state"));
}

export function startLive() {
  wanted = true;
  if (document.hidden || (source && source.readyState !== EventSource.CLOSED)) return;
  source = new EventSource("/v1/events");
  source.onopen = () => become("open");
  source.onerror = () => become("broken");
  for (const name of names)
    source.addEventListener(name, (event) =>
      heard.dispatchEvent(new CustomEvent(name, { detail: JSON.parse(event.data) })),
    );
}

export function stopLive() {
  wanted = false;
  close();
}

function close() {
  source?.close();
  source = undefined;
  become("off");
}

// A browser opens six connections to one place: tabs that nobody sees keep none.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) close();
  else if (wanted) startLive();
});

/** Calls back on each of these events. @param {string[]} events @param {(data: any, name: string) => void} then @param {unknown[]} [on] */
export function useEvents(events, then, on = []) {
  useEffect(() => {
    const listen = (/** @type {Event} */ event) => then(/** @type {CustomEvent} */ (event).detail, event.type);
    for (const name of events) heard.addEventListener(name, listen);
    return () => {
      for (const name of events) heard.removeEventListener(name, listen);
    };
  }, on);
}

export function useLiveState() {
  const [now, setNow] = useState(state);
  useEffect(() => {
    const listen = () => setNow(state);
    heard.addEventListener("state", listen);
    return () => heard.removeEventListener("state", listen);
  }, []);
  return now;
}
