import assert from "node:assert/strict";
import { chooseEmail } from "../../../services/enrich/choose-email.ts";

const chosen = (emails: string[], fields = {}) =>
  chooseEmail({ name: "Joe", domain: "joe.com", ...fields }, { status: "ok", emails });

describe("the address of a lead that came without one", () => {
  it("is one of the lead's own domain, a general mailbox first", () => {
    assert.deepEqual(chosen(["web@agency.com", "joe@joe.com", "info@mail.joe.com"]), {
      email: "info@mail.joe.com",
      emailRole: true,
    });
    assert.deepEqual(chosen(["web@agency.com", "joe@joe.com"]), { email: "joe@joe.com" });
  });
  it("is a foreign one only where it stands alone", () => {
    assert.deepEqual(chosen(["joe@gmail.com"]), { email: "joe@gmail.com" });
    assert.deepEqual(chosen(["joe@gmail.com", "web@agency.com"]), {});
  });
  it("is never that of the platform whose page the lead has", () => {
    const onEtsy = (emails: string[]) => chosen(emails, { domain: "etsy.com" });
    assert.deepEqual(onEtsy(["support@etsy.com"]), {});
    assert.deepEqual(onEtsy(["support@etsy.com", "joe@gmail.com"]), { email: "joe@gmail.com" });
  });
  it("is none that nobody reads", () => assert.deepEqual(chosen(["noreply@joe.com", "postmaster@joe.com"]), {}));
  it("never takes the place of one that was told", () =>
    assert.deepEqual(chosen(["info@joe.com"], { email: "a@b.co" }), {}));
  it("is not that of a domain which only ends alike", () =>
    assert.deepEqual(chosen(["a@notjoe.com", "b@xjoe.com"]), {}));
});
