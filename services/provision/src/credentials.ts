import { createHash, randomBytes } from "node:crypto";
import { createNkey } from "@rollcast/shared/nats/nkey";

/**
 * Who is a user of NATS; the permissions of each are in the chart's files. Each shape has its own file of public keys, for nats-server refuses a key that its
 * configuration does not use, and must not let in whom the shape has no use for.
 */
const NATS_USERS: Readonly<Record<string, readonly string[]>> = {
  "nats-keys.conf": ["watcher", "restarter", "notifier", "provision", "subscriber"],
  "nats-keys-all-in-one.conf": ["all-in-one", "provision", "subscriber"],
};
const REDIS_USERS = ["restarter", "notifier", "all-in-one"] as const;
const PASSWORD_BYTES = 24;
const INSTALLATION_KEY_BYTES = 32;

/** File name -> content; also the keys of the Secret. */
export type Credentials = Readonly<Record<string, string>>;

/**
 * New keys for every user:
 *
 *     nats-<user>.nk                the seed, for the service alone
 *     nats-keys[-all-in-one].conf   the public keys, as variables that the configuration of nats-server refers to
 *     redis-<user>                  the password, for the service alone
 *     redis-<user>.sha256           its hash, for redis-server (https://redis.io/docs/latest/commands/acl-setuser/)
 */
export function makeCredentials(): Credentials {
  const files: Record<string, string> = {};
  const publicKeys = new Map<string, string>();
  for (const user of new Set(Object.values(NATS_USERS).flat())) {
    const { seed, publicKey } = createNkey();
    files[`nats-${user}.nk`] = seed;
    const variable = `ROLLCAST_NKEY_${user.toUpperCase().replaceAll("-", "_")}`;
    publicKeys.set(user, `${variable}: ${publicKey}\n`);
  }
  for (const [file, users] of Object.entries(NATS_USERS)) {
    files[file] = users.map((user) => publicKeys.get(user)).join("");
  }
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
