import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import { errors } from "./documented/sendgrid.ts";

export const sendgridKey = "SG.stub-key-of-sendgrid";

const fields = new Set(
  "personalizations from reply_to reply_to_list subject content attachments template_id headers categories custom_args send_at batch_id asm ip_pool_name mail_settings tracking_settings".split(
    " ",
  ),
);
const isText = (value: unknown) => typeof value === "string" && value.length > 0;

/**
 * Mail Send on a local port: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send, its limits by
 * https://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html. What it refuses has the documented words of its status.
 */
export class SendGrid implements AsyncDisposable {
  readonly taken: any[] = [];
  /** What the next requests meet, before anything is looked at. */
  readonly faults: ("cut" | "cut after" | number)[] = [];
  /** Waits so long before it says that it has one, ms. */
  delay: () => number = () => 0;
  readonly #server: Server;
  constructor() {
    this.#server = createServer((req, res) => void this.#answer(req, res));
  }
  async open(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const refuse = (status: number) =>
      res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(errors[status] ?? {}));
    const fault = this.faults.shift();
    if (fault === "cut") return void req.socket.destroy();
    const sent = await text(req);
    if (typeof fault === "number") return void refuse(fault);
    if (req.url !== "/v3/mail/send") return void refuse(404);
    if (req.method !== "POST") return void refuse(405);
    if (req.headers.authorization !== `Bearer ${sendgridKey}`) return void refuse(401);
    if (Buffer.byteLength(sent) > 31_457_280) return void refuse(413);
    const body = parsed(sent);
    if (!isRight(body)) return void refuse(400);
    this.taken.push(body);
    if (fault === "cut after") return void req.socket.destroy();
    await wait(this.delay());
    res.writeHead(202, { "x-message-id": "14c5d75ce93" }).end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

function parsed(sent: string): any {
  try {
    return JSON.parse(sent);
  } catch {
    return null;
  }
}

/** No field that is unknown; 1 to 1,000 personalizations, each to somebody; a sender, a subject, and plain text before HTML. */
function isRight(body: any): boolean {
  const { personalizations = [], from, subject, content = [] } = body ?? {};
  return (
    body !== null &&
    Object.keys(body).every((field) => fields.has(field)) &&
    personalizations.length >= 1 &&
    personalizations.length <= 1_000 &&
    personalizations.every(
      ({ to, custom_args: args = {} }: any) =>
        to?.length >= 1 && to.every(({ email }: any) => /@/.test(email)) && Object.values(args).every(isText),
    ) &&
    isText(from?.email) &&
    isText(subject) &&
    content[0]?.type === "text/plain" &&
    content.every(({ value }: any) => isText(value))
  );
}
