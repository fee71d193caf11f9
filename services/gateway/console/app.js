import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { api, signedOut } from "./api.js";
import { BudgetPage } from "./budget.js";
import { DeadPage } from "./dead.js";
import { DoublesPage } from "./doubles.js";
import { FiguresPage } from "./figures.js";
import { FlowPage } from "./flow.js";
import { html } from "./html.js";
import { ImportsPage } from "./imports.js";
import { LeadPage } from "./lead.js";
import { LeadsPage } from "./leads.js";
import { LetterPage } from "./letter.js";
import { startLive, stopLive, useLiveState } from "./live.js";
import { LogsPage } from "./logs.js";
import { MailPage } from "./mail.js";
import { MeshPage } from "./mesh.js";
import { OperationsPage } from "./operations.js";
import { RunbookPage } from "./runbook.js";
import { may, SignIn } from "./session.js";
import { StagePage } from "./stage.js";
import { applyTheme, currentTheme, setTheme, themes } from "./theme.js";
import { Empty, Icon } from "./ui.js";

/** @typedef {import("./session.js").Session} Session */

/** Where the rail leads, and the scope without which the place is not shown. */
const places = [
  { group: "Mesh" },
  { path: "flow", name: "Flow", icon: "flow", scope: "platform" },
  { path: "mesh", name: "Nodes and streams", icon: "mesh", scope: "platform" },
  { path: "logs", name: "Logs", icon: "logs", scope: "platform" },
  { group: "Leads" },
  { path: "leads", name: "Leads", icon: "leads", scope: "read" },
  { path: "imports", name: "Imports", icon: "imports", scope: "read" },
  { path: "dead", name: "Dead letters", icon: "dead", scope: "read" },
  { path: "doubles", name: "Doubles", icon: "doubles", scope: "operate" },
  { group: "Business" },
  { path: "figures", name: "Figures", icon: "figures", scope: "read" },
  { path: "budget", name: "Budget", icon: "budget", scope: "read" },
  { path: "mail", name: "Mail", icon: "mail", scope: "read" },
  { group: "Record" },
  { path: "operations", name: "What was done", icon: "operations", scope: "read" },
];
/** The screens by the first word of the address, and by the first and any second one. */
const screens = {
  flow: FlowPage,
  "stages/": StagePage,
  "runbook/": RunbookPage,
  mesh: MeshPage,
  logs: LogsPage,
  leads: LeadsPage,
  "leads/": LeadPage,
  imports: ImportsPage,
  dead: DeadPage,
  "dead/": LetterPage,
  doubles: DoublesPage,
  figures: FiguresPage,
  budget: BudgetPage,
  mail: MailPage,
  operations: OperationsPage,
};

/** #/leads/17?a=1 -> { place: "leads", id: "17", values: { a: "1" } } */
function readAddress() {
  const [path = "", search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [place = "", ...rest] = path.split("/");
  return { place, id: rest.map(decodeURIComponent).join("/"), values: Object.fromEntries(new URLSearchParams(search)) };
}

function useAddress() {
  const [address, setAddress] = useState(readAddress);
  useEffect(() => {
    const read = () => setAddress(readAddress());
    addEventListener("hashchange", read);
    return () => removeEventListener("hashchange", read);
  }, []);
  return address;
}

function ThemeSwitch() {
  const [theme, set] = useState(currentTheme());
  const next = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "auto";
  const turn = () => {
    setTheme(next);
    set(next);
  };
  return html`<button type="button" class="button plain" onClick=${turn}>
    <${Icon} name="theme" /><span>${theme === "auto" ? "System colours" : theme === "dark" ? "Dark" : "Light"}<span class="sr-only">: change the colours</span></span>
  </button>`;
}

const liveWords = { open: "Live", broken: "Reconnecting", off: "Asking every few seconds" };
const Live = () => {
  const state = useLiveState();
  return html`<span class=${`live ${state}`} role="status"><i />${liveWords[state]}</span>`;
};

/** @param {{ session: Session, place: string, onSignOut: () => void }} props */
function Rail({ session, place, onSignOut }) {
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [place]);
  const seen = places.filter(({ scope }) => !scope || may(session, scope));
  const shown = seen.filter((one, n) => one.path || seen[n + 1]?.path);
  return html`<header class=${`rail ${open ? "open" : ""}`}>
    <div class="brand">
      <div class="mark"><i /><i /><i /></div>
      <span>LeadFactory</span>
      <button type="button" class="button plain square menu" aria-expanded=${open} aria-controls="places" aria-label="Menu" onClick=${() => setOpen(!open)}>
        <${Icon} name=${open ? "close" : "menu"} />
      </button>
    </div>
    <nav id="places" aria-label="Places">
      ${shown.map((one) =>
        one.path
          ? html`<a key=${one.path} href=${`#/${one.path}`} aria-current=${one.path === place ? "page" : undefined}><${Icon} name=${one.icon} />${one.name}</a>`
          : html`<p key=${one.group} class="group">${one.group}</p>`,
      )}
    </nav>
    <div class="who">
      <${Live} />
      <p title=${`Key ${session.keyId}: ${session.scopes.join(", ")}`}>
        <strong>${session.tenant}</strong><span class="muted">${session.label ?? `key ${session.keyId}`}</span>
      </p>
      <${ThemeSwitch} />
      <button type="button" class="button plain" onClick=${onSignOut}><${Icon} name="out" /><span>Sign out</span></button>
    </div>
  </header>`;
}

const homeOf = (/** @type {Session} */ session) =>
  may(session, "platform") ? "flow" : may(session, "read") ? "leads" : "";

function App() {
  const [session, setSession] = useState(/** @type {Session | null | undefined} */ (undefined));
  const [ended, setEnded] = useState(false);
  const address = useAddress();
  const place = address.place || (session ? homeOf(session) : "");
  const first = useRef(true);

  useEffect(() => {
    api("/console/session").then(setSession, () => setSession(null));
    const over = () => {
      stopLive();
      setEnded(true);
      setSession(null);
    };
    signedOut.addEventListener("end", over);
    return () => signedOut.removeEventListener("end", over);
  }, []);
  useEffect(() => {
    if (!session) return;
    if (may(session, "read")) startLive();
    // Well before the quarter of an hour is over. A gateway that is away for a moment ends nothing.
    const renew = async () => {
      await api("/console/session").then(setSession, (error) => {
        if (error.status === 401) signedOut.dispatchEvent(new Event("end"));
      });
      if (may(session, "read")) startLive();
    };
    const timer = setInterval(renew, 4 * 60_000);
    return () => clearInterval(timer);
  }, [session]);
  useEffect(() => {
    const title = document.getElementById("title");
    document.title = title ? `${title.textContent} · LeadFactory Mesh` : "LeadFactory Mesh";
    if (!first.current) title?.focus({ preventScroll: true });
    if (session !== undefined) first.current = false;
    scrollTo(0, 0);
  }, [place, address.id, session?.keyId]);

  if (session === undefined) return null;
  if (session === null) return html`<${SignIn} onSession=${setSession} ended=${ended} />`;
  const signOut = async () => {
    await api("/console/session", { method: "DELETE" }).catch(() => {});
    stopLive();
    setEnded(false);
    setSession(null);
  };
  const Screen = screens[address.id ? `${place}/` : place];
  const skip = (/** @type {Event} */ event) => {
    event.preventDefault();
    document.getElementById("title")?.focus();
  };
  return html`<div class="shell">
    <a class="skip" href="#title" onClick=${skip}>To the content</a>
    <${Rail} session=${session} place=${["stages", "runbook"].includes(place) ? "flow" : place} onSignOut=${signOut} />
    <main id="main" key=${`${place} ${address.id}`}>
      ${
        Screen
          ? html`<${Screen} session=${session} id=${address.id} values=${address.values} />`
          : html`<h1 id="title" tabindex="-1" class="sr-only">Nothing here</h1>
            <${Empty} title=${place ? "There is no such place" : "This key shows nothing here"}>
              ${place ? html`<a href="#/">To the beginning</a>` : "It takes leads in; a key with the scope read, operate or platform has more to see."}
            <//>`
      }
    </main>
  </div>`;
}

applyTheme();
render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
