/** The pages that a link in an e-mail opens. */

export interface Page {
  status: number;
  html: string;
}

/** Asks. What opens links by itself (a preview, a scanner) comes as far as this and changes nothing. */
export const unsubscribePage = (): Page =>
  page(
    200,
    "Get no more e-mail from us?",
    `<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button>Yes, no more e-mail</button></form>`,
  );

export const unsubscribedPage = (): Page => page(200, "Done", "<p>We will not write to you again.</p>");

export const refusedPage = (): Page =>
  page(
    403,
    "This link is not good",
    "<p>It is not complete, or too old. Answer our e-mail, and we will see to it.</p>",
  );

export const gonePage = (): Page => page(404, "There is nothing here any more", "<p>The draft was taken away.</p>");

/** `body` is ours: nothing from outside stands in it. */
function page(status: number, title: string, body: string): Page {
  return {
    status,
    html: `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex, nofollow"><title>${title}</title>
<style>body{margin:0;background:#eef1f6;color:#182236;font:17px/1.6 Arial,Helvetica,sans-serif}main{max-width:32rem;margin:12vh auto;padding:2.5rem;background:#fff;border-radius:12px}h1{margin:0 0 1rem;font-size:1.5rem;line-height:1.3}button{padding:.8rem 1.5rem;border:0;border-radius:8px;background:#1f4486;color:#fff;font:inherit;font-weight:bold;cursor:pointer}button:focus-visible{outline:3px solid #8fb0ee}</style></head>
<body><main><h1>${title}</h1>
${body}
</main></body>
</html>
`,
  };
}
