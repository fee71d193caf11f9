import assert from "node:assert/strict";
import { messageIdOf } from "../../../services/email/sending.ts";
import {
  bodyOf,
  effectOf,
  fateOfAnswer,
  fateOfFault,
  fateOfRefusal,
  isSpent,
} from "../../../services/sendgrid/send.ts";
import { fateOf, type SmtpError } from "../../../services/smtp/fate.ts";

/** What nodemailer makes of a refusal in the envelope. */
const said = (command: string, response: string): SmtpError => ({
  ...{ code: "EENVELOPE", command, response },
  responseCode: Number.parseInt(response, 10),
});

describe("what became of a message that SMTP failed to deliver", () => {
  const cases: [string, SmtpError, boolean, string][] = [
    ["nobody listens", { code: "ESOCKET", command: "CONN" }, false, "unreached"],
    ["the greeting does not come", { code: "ETIMEDOUT", command: "CONN" }, false, "unreached"],
    ["the password is wrong", { code: "EAUTH", command: "AUTH PLAIN", responseCode: 535 }, false, "unreached"],
    ["the greeting is a refusal", { code: "EPROTOCOL", command: "CONN", responseCode: 554 }, false, "unreached"],
    [
      "the server leaves before the content",
      { code: "EENVELOPE", command: "RCPT TO", responseCode: 421 },
      false,
      "unreached",
    ],
    ["the recipient is unknown", said("RCPT TO", "550 No such user"), false, "refused for good, recipient"],
    [
      "the recipient is known to be none",
      said("RCPT TO", "550 5.1.1 No such user"),
      false,
      "refused for good, recipient",
    ],
    ["its domain takes no mail", said("RCPT TO", "556 5.1.10 Null MX"), false, "refused for good, recipient"],
    ["the recipient is grey-listed", said("RCPT TO", "451 4.7.1 Try again"), false, "refused for now"],
    ["the recipient's mailbox is full", said("RCPT TO", "552 5.2.2 Full"), false, "refused for now"],
    ["we may not relay", said("RCPT TO", "554 5.7.1 Relay access denied"), false, "refused for now"],
    ["we are to say who we are", said("RCPT TO", "530 Authentication required"), false, "refused for now"],
    ["the sender is refused", said("MAIL FROM", "553 5.7.1 Not owned by user"), false, "unreached"],
    ["the sender is refused for now", said("MAIL FROM", "451 4.3.0 Try again"), false, "unreached"],
    ["the sender is refused with the recipient", said("RCPT TO", "550 5.1.8 No such domain"), false, "unreached"],
    [
      "the sender is refused with the recipient for now",
      said("RCPT TO", "450 4.1.8 No such domain"),
      false,
      "unreached",
    ],
    ["the content is refused", { code: "EMESSAGE", command: "DATA", responseCode: 554 }, true, "refused for good"],
    [
      "the content is refused for now",
      { code: "EMESSAGE", command: "DATA", responseCode: 452 },
      true,
      "refused for now",
    ],
    [
      "the server says 421 for an answer",
      { code: "ECONNECTION", command: "CONN", responseCode: 421 },
      true,
      "refused for now",
    ],
    ["the connection breaks before the content", { code: "ECONNECTION", command: "CONN" }, false, "unreached"],
    ["the connection breaks after it began", { code: "ECONNECTION", command: "CONN" }, true, "unknown"],
    ["no answer comes", { code: "ETIMEDOUT", command: "CONN" }, true, "unknown"],
    ["half a good answer comes", { code: "ECONNECTION", command: "CONN", responseCode: 250 }, true, "unknown"],
    ["half of some answer comes", { code: "ECONNECTION", command: "CONN", responseCode: 4 }, true, "unknown"],
    ["the envelope cannot be", { code: "EENVELOPE", command: "API" }, false, "refused for good"],
    ["we gave up on it", { code: "ABORT_ERR" }, true, "unknown"],
  ];
  for (const [what, error, begun, expected] of cases)
    it(`is "${expected}" when ${what}`, () => {
      const fate = fateOf(error, begun);
      const told =
        fate.kind === "refused"
          ? `refused for ${fate.permanent ? "good" : "now"}${fate.recipient ? ", recipient" : ""}`
          : fate.kind;
      assert.equal(told, expected);
    });
});

describe("what became of a message that was given to SendGrid", () => {
  it("is told by the answer's status", () => {
    const kinds = Object.fromEntries(
      [202, 200, 302, 400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 502, 503, 504].map((status) => [
        status,
        fateOfAnswer(status).kind,
      ]),
    );
    assert.deepEqual(kinds, {
      202: "sent",
      200: "unreached",
      302: "unreached",
      400: "refused",
      401: "unreached",
      403: "unreached",
      404: "unreached",
      405: "unreached",
      408: "unreached",
      413: "refused",
      415: "unreached",
      429: "unreached",
      500: "unknown",
      502: "unknown",
      503: "unreached",
      504: "unknown",
    });
  });
  it("is unknown when the way broke, but for a connection that never stood", () => {
    for (const code of ["ECONNREFUSED", "ENOTFOUND", "UND_ERR_CONNECT_TIMEOUT"])
      assert.equal(fateOfFault({ code, name: "Error" }).kind, "unreached");
    for (const code of ["ECONNRESET", "UND_ERR_SOCKET", "UND_ERR_HEADERS_TIMEOUT"])
      assert.equal(fateOfFault({ code, name: "Error" }).kind, "unknown");
    assert.equal(fateOfFault({ name: "TimeoutError" }).kind, "unknown");
  });
  it("is spent where SendGrid has it, or may have", () => {
    const spent = [202, 400, 503, 500].filter((status) => isSpent(fateOfAnswer(status)));
    assert.deepEqual(spent, [202, 500]);
  });
});

describe("what SendGrid is asked to do", () => {
  const message = {
    from: { name: "Agency", address: "hello@agency.example" },
    to: "owner@joes.example",
    subject: "A draft",
    text: "Hello",
    html: "<p>Hello</p>",
    messageId: "<a@agency.example>",
    unsubscribeUrl: "https://agency.example/u/a",
    reference: { tenant: "acme", leadId: "a", campaign: "spring", attempt: 1 },
  };
  it("is to track opens, or not to, whatever its account's default is, and never to rewrite a link", () => {
    for (const openTracking of [true, false])
      assert.deepEqual((bodyOf(message, { openTracking }) as { tracking_settings: object }).tracking_settings, {
        click_tracking: { enable: false, enable_text: false },
        open_tracking: { enable: openTracking },
        subscription_tracking: { enable: false },
      });
  });
});

describe("an e-mail that the ledger grants nothing", () => {
  const until = 1_770_000_000_000;
  it("waits for the next window, or ends where its tenant says so or none will do", () => {
    const ends = (overBudget: "wait" | "complete" | "without", at: number | null) =>
      fateOfRefusal({ kind: "over", until: at, overBudget });
    for (const choice of ["wait", "without"] as const) {
      assert.deepEqual(ends(choice, until), { kind: "unpaid", until, reason: "over_budget" });
      assert.deepEqual(ends(choice, null), { kind: "unpaid", until: null, reason: "over_budget" });
    }
    assert.deepEqual(ends("complete", until), { kind: "unpaid", until: null, reason: "over_budget" });
  });
  it("waits for a reservation that is open, and is not sent where it is paid", () => {
    assert.deepEqual(fateOfRefusal({ kind: "held", until }), { kind: "unpaid", until, reason: "held" });
    assert.equal(fateOfRefusal({ kind: "booked" }).kind, "unknown");
  });
  it("is known to the ledger by its Message-ID and its try, within the length of a key", () => {
    const leadId = "00000000-0000-4000-8000-000000000001";
    const messageId = messageIdOf({ tenant: "acme", leadId, campaign: "spring" }, `hello@${"long.".repeat(50)}example`);
    const reference = { tenant: "acme", leadId, campaign: "spring", attempt: 2 };
    const effect = effectOf({ messageId, reference });
    assert.match(effect, new RegExp(`^sendgrid ${leadId}\\.[0-9a-f]{16} 2$`));
    assert.ok(effect.length <= 200);
  });
});
