import { createHash, timingSafeEqual } from "node:crypto";
import { stat } from "node:fs/promises";
import { readSecret } from "@rollcast/runtime/files/read-secret";
import { ConfigError, toError } from "@rollcast/shared/errors";
import type { Logger } from "@rollcast/runtime/logger";

const MIN_LENGTH = 16;

/** Lets in whoever has the token. */
export type Guard = {
  /** Whether the `Authorization` header carries the token that the file holds now. */
  admits(authorization: string | undefined): Promise<boolean>;
};

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

async function readToken(file: string, key: string): Promise<Buffer> {
  const token = await readSecret({ file }, {}, key);
  if (token.length < MIN_LENGTH || /\s/.test(token)) {
    throw new ConfigError(
      `${key}: ${file} holds no token of the API: it must be one line of at least ${MIN_LENGTH} characters without blanks`,
    );
  }
  return digest(token);
}

/**
 * Reads the token in `file`, and again whenever the file changes, as Kubernetes replaces the files
 * of a Secret. Throws {@link ConfigError}, which names `key` of the configuration, where there is
 * none. Where a later one cannot be read, every request is refused.
 */
export async function openGuard(file: string, key: string, logger: Logger): Promise<Guard> {
  const versionOf = async () => {
    // Follows links: of a mounted Secret, only the target of a link changes.
    const { ino, mtimeMs, size } = await stat(file);
    return `${ino} ${mtimeMs} ${size}`;
  };
  let wanted: Buffer | undefined = await readToken(file, key);
  let version = await versionOf().catch(() => "");
  const refresh = async () => {
    const now = await versionOf().catch(() => "");
    if (now === version) return;
    version = now;
    try {
      wanted = await readToken(file, key);
      logger.info({ file }, "api token reloaded");
    } catch (err) {
      wanted = undefined;
      logger.error(
        { err: toError(err), file },
        "api token cannot be read, all requests are refused",
      );
    }
  };
  return {
    async admits(authorization) {
      await refresh();
      const given = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
      // Digests have one length, so the comparison takes the same time whatever was given.
      return given !== undefined && wanted !== undefined && timingSafeEqual(digest(given), wanted);
    },
  };
}
