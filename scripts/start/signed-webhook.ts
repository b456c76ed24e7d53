import { randomBytes } from "node:crypto";
import { openHook } from "@rollcast/demo/webhook-server";
import type { Delivery, Hook } from "@rollcast/demo/webhook-server";

/** A local webhook, and the secret of its signatures: `whsec_...`, of this run only. */
export type SignedHook = Hook & { readonly secret: string };

export async function startHook(onDelivery: (delivery: Delivery) => void): Promise<SignedHook> {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  return Object.assign(await openHook({ secret, host: "127.0.0.1", port: 0, onDelivery }), {
    secret,
  });
}
