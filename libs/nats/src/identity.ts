import { readFileSync } from "node:fs";
import { nkeyAuthenticator } from "@nats-io/transport-node";
import type { ConnectionOptions } from "@nats-io/transport-node";
import { ConfigError } from "@rollcast/shared/errors";
import { fileFault } from "@rollcast/runtime/files/file-fault";

/**
 * Who this client is to the server, and how it knows the server. Files are read again at each
 * connection, so what is rotated is found.
 */
export type NatsIdentity = {
  /** The seed of an nkey user (`SU...`), whose public half the server knows. */
  nkey?: { readonly file: string };
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

const SEED = /^SU[A-Z2-7]{56}$/;

/** The first word of a text that has the form of a user's seed. */
export function findSeed(text: string): string | undefined {
  return text.split(/\s+/).find((word) => SEED.test(word));
}

/**
 * The seed in `file`: a line of its own, among others as `nk` and `nsc` write them. Throws
 * {@link ConfigError}, which does not quote it.
 */
export function readSeed(file: string): Uint8Array {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (err) {
    throw new ConfigError(`nats.nkey.file: ${file} cannot be read: ${fileFault(err, file)}`, {
      cause: err,
    });
  }
  const seed = findSeed(text);
  if (seed === undefined) {
    throw new ConfigError(
      `nats.nkey.file: ${file} holds no nkey seed of a user: 58 characters that begin with SU`,
    );
  }
  return new TextEncoder().encode(seed);
}

/** The newest seed that could be read: a file that is being replaced must not end a connection. */
function seedOf(file: string): () => Uint8Array {
  let last = readSeed(file);
  return () => {
    try {
      last = readSeed(file);
    } catch {
      // The one before may still do; the server says where it does not.
    }
    return last;
  };
}

function checkReadable(file: string, key: string): void {
  try {
    readFileSync(file);
  } catch (err) {
    throw new ConfigError(`nats.tls.${key}: ${file} cannot be read: ${fileFault(err, file)}`, {
      cause: err,
    });
  }
}

/**
 * The options of the client library. `tls`: nothing is said before the connection is encrypted.
 * Throws {@link ConfigError} where a file is missing.
 */
export function openIdentity(
  identity: NatsIdentity,
  tls: boolean,
): Pick<ConnectionOptions, "tls" | "authenticator"> {
  const { ca, cert, key } = identity.tls ?? {};
  for (const [name, file] of Object.entries({ ca, cert, key })) {
    if (file !== undefined) checkReadable(file, name);
  }
  const isEncrypted = tls || [ca, cert, key].some((file) => file !== undefined);
  return {
    tls: isEncrypted ? { caFile: ca, certFile: cert, keyFile: key } : undefined,
    authenticator:
      identity.nkey === undefined ? undefined : nkeyAuthenticator(seedOf(identity.nkey.file)),
  };
}
