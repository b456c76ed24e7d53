import { createHash, randomBytes } from "node:crypto";
import { createNkey, publicKeyOf } from "@rollcast/nats/nkey";

/**
 * The users of NATS; their permissions are in the chart's files. Each shape has its own file of
 * public keys, because nats-server refuses keys that its configuration does not use and must not
 * admit users that the shape does not need.
 */
const NATS_USERS: Readonly<Record<string, readonly string[]>> = {
  "nats-keys.conf": ["watcher", "restarter", "notifier", "provision", "subscriber", "operator"],
  "nats-keys-all-in-one.conf": ["all-in-one", "provision", "subscriber", "operator"],
};
const REDIS_USERS = ["restarter", "notifier", "all-in-one"] as const;
const PASSWORD_BYTES = 24;
const KEY_BYTES = 32;

/** File name -> content; also the keys of the Secret. */
export type CredentialFiles = Readonly<Record<string, string>>;

/**
 * Generates keys for every user (https://redis.io/docs/latest/commands/acl-setuser/):
 *
 *     nats-<user>.nk                the seed, for the service only
 *     nats-keys[-all-in-one].conf   the public keys, as variables for nats-server's configuration
 *     redis-<user>                  the password, for the service only
 *     redis-<user>.sha256           its hash, for redis-server
 */
export function makeCredentials(): CredentialFiles {
  const secrets = makeSecrets();
  return { ...secrets, ...serverFilesOf(secrets) };
}

/** Generates the secrets of the users. */
export function makeSecrets(): CredentialFiles {
  const seeds = [...new Set(Object.values(NATS_USERS).flat())].map(
    (user) => [`nats-${user}.nk`, createNkey().seed] as const,
  );
  const passwords = REDIS_USERS.map(
    (user) => [`redis-${user}`, randomBytes(PASSWORD_BYTES).toString("base64url")] as const,
  );
  return Object.fromEntries([...seeds, ...passwords]);
}

/**
 * Derives the servers' files from the secrets alone, so that they always match. A file of public
 * keys needs the seeds of all its users.
 */
export function serverFilesOf(secrets: CredentialFiles): CredentialFiles {
  const files: Record<string, string> = {};
  for (const user of REDIS_USERS) {
    const password = secrets[`redis-${user}`];
    if (password === undefined) continue;
    files[`redis-${user}.sha256`] = createHash("sha256").update(password).digest("hex");
  }
  for (const [file, users] of Object.entries(NATS_USERS)) {
    const lines = users.flatMap((user) => {
      const seed = secrets[`nats-${user}.nk`];
      const variable = `ROLLCAST_NKEY_${user.toUpperCase().replaceAll("-", "_")}`;
      return seed === undefined ? [] : [`${variable}: ${publicKeyOf(seed)}\n`];
    });
    if (lines.length === users.length) files[file] = lines.join("");
  }
  return files;
}

/**
 * Generates the watcher's key for digests, for installations that do not keep it in the cluster.
 */
export function makeInstallationKey(): CredentialFiles {
  return { "installation-key": randomBytes(KEY_BYTES).toString("base64url") };
}

/** Generates a token for each HTTP API, for installations that do not keep them in a Secret. */
export function makeApiTokens(): CredentialFiles {
  const token = () => randomBytes(KEY_BYTES).toString("base64url");
  return { "restarter-api-token": token(), "notifier-api-token": token() };
}
