import { createHash, randomBytes } from "node:crypto";
import { createNkey } from "@rollcast/shared/nats/nkey";

/** Who is a user of NATS, and who of Redis; the permissions of each are in the chart's files. */
const NATS_USERS = ["watcher", "restarter", "notifier", "provision", "subscriber"] as const;
const REDIS_USERS = ["restarter", "notifier"] as const;
const PASSWORD_BYTES = 24;
const INSTALLATION_KEY_BYTES = 32;

/** File name -> content; also the keys of the Secret. */
export type Credentials = Readonly<Record<string, string>>;

/**
 * New keys for every user:
 *
 *     nats-<user>.nk           the seed, for the service alone
 *     nats-keys.conf           the public keys, as variables that the configuration of nats-server refers to
 *     redis-<user>             the password, for the service alone
 *     redis-<user>.sha256      its hash, for redis-server (https://redis.io/docs/latest/commands/acl-setuser/)
 */
export function makeCredentials(): Credentials {
  const files: Record<string, string> = {};
  const publicKeys: string[] = [];
  for (const user of NATS_USERS) {
    const { seed, publicKey } = createNkey();
    files[`nats-${user}.nk`] = seed;
    publicKeys.push(`ROLLCAST_NKEY_${user.toUpperCase()}: ${publicKey}\n`);
  }
  files["nats-keys.conf"] = publicKeys.join("");
  for (const user of REDIS_USERS) {
    const password = randomBytes(PASSWORD_BYTES).toString("base64url");
    files[`redis-${user}`] = password;
    files[`redis-${user}.sha256`] = createHash("sha256").update(password).digest("hex");
  }
  return files;
}

/** The watcher's key of digests, where it is not kept in the cluster. */
export function makeInstallationKey(): Credentials {
  return { "installation-key": randomBytes(INSTALLATION_KEY_BYTES).toString("base64url") };
}
