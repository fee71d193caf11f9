import htm from "htm";
import { h } from "preact";

/** Markup as template strings. Whatever is put between braces is text: nothing that a lead says becomes markup. */
export const html = /** @type {any} */ (htm).bind(h);
