import { readFile } from "node:fs/promises";
import type { Env } from "@rollcast/runtime/config/load";
import { readSecret } from "@rollcast/runtime/files/read-secret";
import type { SecretRef } from "@rollcast/shared/config/secret-ref";
import { ConfigError } from "@rollcast/shared/errors";
import { fileFault } from "@rollcast/runtime/files/file-fault";
import type { RedisOptions } from "ioredis";

/** Who this client is to Redis, and how it knows the server; read once, at the start. */
export type RedisIdentity = {
  /** `redis://host:6379` or `rediss://host:6379`, perhaps with `user:password@` before the host. */
  url: string;
  /** An ACL user (https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/). */
  username?: string;
  password?: SecretRef;
  /**
   * PEM files: the authority that signed the server's certificate (else the system's), and this
   * client's own certificate.
   */
  tls?: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
  };
};

async function pem(file: string, key: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (err) {
    throw new ConfigError(`redis.tls.${key}: ${file} cannot be read: ${fileFault(err, file)}`, {
      cause: err,
    });
  }
}

export type RedisAccess = {
  readonly url: string;
  readonly options: Pick<RedisOptions, "username" | "password" | "tls">;
};

/**
 * Who is meant, where the URL names a user and the password comes from elsewhere: the library takes
 * a URL's empty password for one.
 */
function whoAndWhere({ url, username }: RedisIdentity): { url: string; username?: string } {
  const parsed = new URL(url);
  const user = username ?? decodeURIComponent(parsed.username);
  parsed.username = "";
  parsed.password = "";
  return { url: parsed.href, username: user === "" ? undefined : user };
}

/** The options of the client library. Throws {@link ConfigError} where a file is missing. */
export async function redisAccess(identity: RedisIdentity, env: Env): Promise<RedisAccess> {
  const { password, tls } = identity;
  const files: Record<string, Buffer> = {};
  for (const name of ["ca", "cert", "key"] as const) {
    const file = tls?.[name];
    if (file !== undefined) files[name] = await pem(file, name);
  }
  // Given, it replaces what `rediss:` asks for, which has no files.
  const encryption = tls === undefined ? {} : { tls: files };
  const { username } = identity;
  if (password === undefined) {
    const user = username === undefined ? {} : { username };
    return { url: identity.url, options: { ...encryption, ...user } };
  }
  const { url, ...user } = whoAndWhere(identity);
  const secret = await readSecret(password, env, "redis.password");
  return { url, options: { ...encryption, ...user, password: secret } };
}
