import { randomBytes } from "node:crypto";
import { startWebhookServer } from "@rollcast/demo/webhook-server";
import type { Delivery, WebhookServer } from "@rollcast/demo/webhook-server";

/** A local webhook, and the secret of its signatures: `whsec_...`, of this run only. */
export type SignedWebhook = WebhookServer & { readonly secret: string };

export async function startSignedWebhook(
  onDelivery: (delivery: Delivery) => void,
): Promise<SignedWebhook> {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  return Object.assign(
    await startWebhookServer({ secret, host: "127.0.0.1", port: 0, onDelivery }),
    {
      secret,
    },
  );
}
