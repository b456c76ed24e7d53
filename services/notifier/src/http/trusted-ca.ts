import { X509Certificate } from "node:crypto";
import { getCACertificates } from "node:tls";
import type { Env } from "@rollcast/runtime/config/load";
import { readSecret } from "@rollcast/runtime/files/read-secret";
import type { SecretRef } from "@rollcast/shared/config/secret-ref";
import { ConfigError } from "@rollcast/shared/errors";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * The certificates that a receiver is trusted by: those of Node, with `NODE_EXTRA_CA_CERTS`, and
 * those that `ref` names; undefined without a `ref`. Throws {@link ConfigError} where it cannot be
 * read, or holds no certificate in PEM.
 */
export async function readTrustedCa(
  ref: SecretRef | undefined,
  env: Env,
): Promise<readonly string[] | undefined> {
  if (ref === undefined) return undefined;
  const certificates = (await readSecret(ref, env, "caFrom")).match(CERTIFICATE) ?? [];
  if (certificates.length === 0) throw new ConfigError("caFrom: holds no certificate in PEM");
  for (const [i, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch (err) {
      const which = `certificate ${String(i + 1)} of ${String(certificates.length)}`;
      throw new ConfigError(`caFrom: ${which} cannot be read`, { cause: err });
    }
  }
  return [...getCACertificates("default"), ...certificates];
}
