/**
 * Signs of a page built as one did before HTML5. The technology "Outdated HTML" is ours: Wappalyzer has no such thing.
 * One sign that no living tool leaves behind is enough (frames, marquee, blink, an HTML 2 to 4 doctype); of presentational
 * markup, which e-mail widgets and old snippets leave on modern pages too, it takes some.
 */
export class OutdatedSigns {
  #certain = false;
  #presentational = 0;
  #layoutTables = 0;
  #openTables = 0;

  doctype(text: string): void {
    // XHTML 1.0 was written until about 2014, by systems that are fine otherwise: not a sign on its own.
    if (/^!doctype\s+html\s+public\s+"-\/\/(?:ietf|w3c)\/\/dtd html (?:2|3|4)/i.test(text)) this.#certain = true;
  }

  element(name: string, attributes: Record<string, string>): void {
    switch (name) {
      case "frameset":
      case "marquee":
      case "blink":
      case "applet":
      case "bgsound":
        this.#certain = true;
        break;
      case "font":
      case "center":
      case "big":
      case "tt":
      case "strike":
        this.#presentational++;
        break;
      case "body":
        if ("bgcolor" in attributes || "vlink" in attributes || "topmargin" in attributes) this.#presentational += 2;
        break;
      case "table":
        if (++this.#openTables > 1) this.#layoutTables++;
        if ("cellspacing" in attributes || "bgcolor" in attributes || "background" in attributes) this.#layoutTables++;
        break;
    }
  }

  close(name: string): void {
    if (name === "table") this.#openTables--;
  }

  verdict(): boolean {
    return (
      this.#certain ||
      this.#presentational >= 3 ||
      this.#layoutTables >= 3 ||
      this.#presentational * this.#layoutTables > 0
    );
  }
}
