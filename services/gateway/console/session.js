import { useState } from "preact/hooks";
import { api, useAct } from "./api.js";
import { html } from "./html.js";
import { ErrorNote, Field } from "./ui.js";

/**
 * @typedef {{ tenant: string, scopes: string[], keyId: string, label?: string, until: number, now: number }} Session
 */

/** @param {Session} session @param {string} scope */
export const may = (session, scope) => session.scopes.includes(scope);

/** The key goes to the gateway once and stays in no storage of the browser. @param {{ onSession: (session: Session) => void, ended: boolean }} props */
export function SignIn({ onSession, ended }) {
  const [key, setKey] = useState("");
  const { busy, error, run } = useAct(() => api("/console/session", { method: "POST", body: { key } }));
  const onSubmit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const session = await run();
    if (session) onSession(session);
  };
  return html`<main class="signin" id="main">
    <form class="card" onSubmit=${onSubmit}>
      <div class="mark"><i /><i /><i /></div>
      <h1 id="title" tabindex="-1">LeadFactory Mesh</h1>
      <p class="muted">${ended ? "The session is over. Give the key again to go on where you were." : "Sign in with an API key. What you see is what the key may see."}</p>
      <${ErrorNote} error=${error} />
      <${Field} label="API key">
        <input
          type="password"
          name="key"
          autocomplete="current-password"
          required
          placeholder="lf_…"
          spellcheck="false"
          value=${key}
          onInput=${(/** @type {any} */ event) => setKey(event.target.value)}
        />
      <//>
      <button class="button primary" disabled=${busy || key.trim() === ""}>${busy ? "Signing in…" : "Sign in"}</button>
      <p class="muted small">Made by <code>npm run key -- create --tenant acme --scopes read,operate</code></p>
    </form>
  </main>`;
}
