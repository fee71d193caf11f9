import { randomUUID } from "node:crypto";
import { eventually } from "./eventually.ts";
import { postLead, type TestGateway } from "./gateway.ts";

export interface ReviewItem {
  id: string;
  state: string;
  leads: { id: string; status: string; fields: { name: string } }[];
}

/** Takes in two leads of one name and city, which may be one business or two, and waits until a person is asked. */
export async function askedAbout(gateway: TestGateway, secret: string): Promise<ReviewItem> {
  const name = `Rosebud ${randomUUID().replaceAll(/[^a-z]/g, "x")}`;
  for (let n = 0; n < 2; n++) await postLead(gateway, secret, { name, city: "Chicago" });
  let found: ReviewItem | undefined;
  await eventually("a review is open", async () => {
    const answer = await gateway.call(secret, "/v1/reviews?limit=200");
    const { items } = (await answer.json()) as { items: ReviewItem[] };
    found = items.find(({ leads }) => leads[0]!.fields.name === name);
    return found !== undefined;
  });
  return found!;
}
