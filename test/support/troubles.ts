import assert from "node:assert/strict";
import { type Person, signIn, startBrowser } from "./browser.ts";

/** What the page is to say of something that is the matter. */
export interface Trouble {
  /** What it is, and where. */
  title: RegExp;
  /** Why. */
  says: RegExp;
  /** Of what is to be done. */
  todo: RegExp;
  /** The runbook's section. */
  alert: string;
  stage: string;
  /** What its Look leads to; the stage where nothing else is said. */
  looksAt?: string;
}

/** Somebody who looks at the page's first screen, and at nothing else. */
export class Onlooker implements AsyncDisposable {
  readonly #person: Person;
  readonly #stack: AsyncDisposableStack;

  private constructor(person: Person, stack: AsyncDisposableStack) {
    this.#person = person;
    this.#stack = stack;
  }

  /** Signed in at the gateway; undefined, with a word, where there is no browser. */
  static async at(url: string, secret: string): Promise<Onlooker | undefined> {
    const browser = await startBrowser();
    if (!browser) return undefined;
    const stack = new AsyncDisposableStack();
    stack.use(browser);
    const person = await browser.person();
    await signIn(person, url, secret, "flow");
    return new Onlooker(person, stack);
  }

  get #all() {
    return this.#person.page.getByRole("region", { name: "What needs a look" });
  }
  #one({ title }: Trouble) {
    return this.#all.getByRole("listitem").filter({ hasText: title });
  }

  /** One screen says what is the matter, where, since when, why, and what to do. */
  async sees(trouble: Trouble, withinMs: number): Promise<void> {
    const { says, todo } = trouble;
    const shown = this.#one(trouble);
    await shown.filter({ hasText: says }).filter({ hasText: todo }).waitFor({ timeout: withinMs });
    assert.match((await shown.textContent())!, / since \d\d:\d\d:\d\d, for \d/);
    assert.ok(await this.#isOnScreen(trouble), "without scrolling");
  }

  /** From there the runbook is a click away, with commands about what is the matter, and so is what it is about. */
  async follows(trouble: Trouble): Promise<void> {
    const { alert, todo, stage, looksAt = stage } = trouble;
    const { page } = this.#person;
    const shown = this.#one(trouble);
    await shown.getByRole("link", { name: `Runbook on ${alert}` }).click();
    await page.getByRole("heading", { name: alert }).waitFor();
    await page.getByRole("region", { name: "What to do" }).getByText(todo).waitFor();
    const typed = await page.getByRole("region", { name: "Commands" }).textContent();
    assert.doesNotMatch(typed!, /NODE|LETTER/);
    await page.goBack();
    await shown.getByRole("link", { name: /^Look/ }).click();
    await page.getByRole("heading", { name: looksAt, exact: true }).waitFor();
    await page.goBack();
    await shown.waitFor();
  }

  async #isOnScreen(trouble: Trouble): Promise<boolean> {
    const box = (await this.#one(trouble).boundingBox())!;
    return box.y >= 0 && box.y + box.height <= this.#person.page.viewportSize()!.height;
  }

  /** It is over. */
  async seesNoMore(trouble: Trouble): Promise<void> {
    await this.#one(trouble).waitFor({ state: "detached" });
  }

  /** All is well, and the page had nothing to complain of. */
  async seesAllWell(): Promise<void> {
    await this.#all.getByText("Every stage works, and nothing waits for you.").waitFor();
    assert.deepEqual(this.#person.complaints, []);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#stack.disposeAsync();
  }
}
