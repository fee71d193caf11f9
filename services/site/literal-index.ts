/**
 * Finds all of many literals in one pass over a text (Aho and Corasick, "Efficient string matching", CACM 18(6), 1975),
 * as a full transition table over folded ASCII: one look-up a character, whatever the number of literals.
 */

export class LiteralIndex {
  /** Class of a character: 0 for those that stand in no literal. Upper case has the class of its lower case. */
  readonly #classOf = new Uint8Array(128);
  #classes = 1;
  /** state * classes + class -> state. Sixteen bits, so that the table (6 MB for 2,600 literals) stays near the processor. */
  readonly #next: Uint16Array;
  /** state -> first entry of its outputs in `#out`, or 0 */
  readonly #firstOut: Int32Array;
  /** pairs: literal, next entry */
  readonly #out: number[] = [0, 0];
  readonly #lengths: number[];

  /** `literals`: lower case, printable ASCII, no repeats, at most 65,535 characters in all. */
  constructor(literals: readonly string[]) {
    for (const char of new Set(literals.join(""))) {
      const code = char.charCodeAt(0);
      this.#classOf[code] = this.#classes;
      if (code >= 0x61 && code <= 0x7a) this.#classOf[code - 0x20] = this.#classes;
      this.#classes++;
    }
    const most = literals.reduce((sum, l) => sum + l.length, 1);
    if (most > 0xffff) throw new RangeError(`literals of ${most} characters are too many for one index (65,535)`);
    this.#firstOut = new Int32Array(most);
    this.#lengths = literals.map((l) => l.length);
    const next = new Uint16Array(most * this.#classes);
    let last = 0;
    literals.forEach((literal, index) => {
      let state = 0;
      for (let i = 0; i < literal.length; i++) {
        const edge = state * this.#classes + this.#classOf[literal.charCodeAt(i)]!;
        if (next[edge] === 0) next[edge] = ++last;
        state = next[edge]!;
      }
      this.#firstOut[state] = this.#out.push(index, 0) - 2;
    });
    this.#next = next.slice(0, (last + 1) * this.#classes);
    this.#link();
  }

  /** Breadth first: a state's missing edges are those of its longest proper suffix that is a state. */
  #link(): void {
    const next = this.#next;
    const classes = this.#classes;
    const suffix = new Int32Array(this.#firstOut.length);
    const queue = [...next.subarray(0, classes)].filter((state) => state !== 0);
    for (let head = 0; head < queue.length; head++) {
      const state = queue[head]!;
      const fallback = suffix[state]!;
      this.#chain(state, fallback);
      for (let c = 0; c < classes; c++) {
        const edge = state * classes + c;
        const viaSuffix = next[fallback * classes + c]!;
        if (next[edge] === 0) next[edge] = viaSuffix;
        else {
          suffix[next[edge]!] = viaSuffix;
          queue.push(next[edge]!);
        }
      }
    }
  }

  /** A literal that is the end of another is found with it. */
  #chain(state: number, fallback: number): void {
    const inherited = this.#firstOut[fallback]!;
    if (this.#firstOut[state] === 0) this.#firstOut[state] = inherited;
    else this.#out[this.#firstOut[state]! + 1] = inherited;
  }

  /** Calls `hit(literal, start)` for every occurrence, `literal` as its place in the constructor's list. */
  search(text: string, hit: (literal: number, start: number) => void): void {
    const next = this.#next;
    const classOf = this.#classOf;
    const classes = this.#classes;
    const firstOut = this.#firstOut;
    let state = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      state = next[state * classes + (code < 128 ? classOf[code]! : 0)]!;
      if (state === 0) continue;
      for (let out = firstOut[state]!; out !== 0; out = this.#out[out + 1]!) {
        const literal = this.#out[out]!;
        hit(literal, i + 1 - this.#lengths[literal]!);
      }
    }
  }
}
