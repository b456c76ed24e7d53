import { createHash } from "node:crypto";
import type { Env } from "@rollcast/runtime/config/load";
import type { ReceiverConfig } from "@rollcast/shared/config/receivers";
import { readSecret } from "@rollcast/runtime/files/read-secret";
import { SecretRef } from "@rollcast/shared/config/secret-ref";

/** All references to secrets in a part of the configuration, at any depth. */
function secretRefs(part: unknown): SecretRef[] {
  if (typeof part !== "object" || part === null) return [];
  const ref = SecretRef.safeParse(part);
  return ref.success ? [ref.data] : Object.values(part).flatMap(secretRefs);
}

/**
 * A secret that cannot be read has a value of its own, so that the fingerprint changes when it
 * appears.
 */
async function secretState(ref: SecretRef, env: Env): Promise<string> {
  try {
    return `secret ${await readSecret(ref, env)}`;
  } catch {
    return "none";
  }
}

/**
 * A digest that changes with a receiver's configuration or any secret it refers to. It never leaves
 * the process.
 */
export async function fingerprintOf(receiver: ReceiverConfig, env: Env): Promise<string> {
  const secrets = await Promise.all(secretRefs(receiver).map((ref) => secretState(ref, env)));
  return createHash("sha256")
    .update(JSON.stringify([receiver, secrets]))
    .digest("hex");
}
