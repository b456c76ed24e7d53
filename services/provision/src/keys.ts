import process from "node:process";
import { parseArgs } from "node:util";
import { connectKube } from "@rollcast/kube/client";
import { ConfigError } from "@rollcast/shared/errors";
import { createLogger } from "@rollcast/shared/logger";
import { runOnce } from "@rollcast/shared/run";
import { makeCredentials, makeInstallationKey } from "./credentials.ts";
import { createSecret, secretOf, writeFiles } from "./keep.ts";

/** Containers of one compose file run as different users. */
const SHARED_MODE = 0o444;
const OWN_MODE = 0o400;

const logger = createLogger("keys");
await runOnce(logger, async () => {
  const { values } = parseArgs({
    options: {
      secret: { type: "string" },
      print: { type: "boolean", default: false },
      dir: { type: "string" },
      shared: { type: "boolean", default: false },
    },
  });
  const { secret, dir } = values;
  const credentials = makeCredentials();
  if (secret !== undefined && values.print) {
    // JSON is YAML, and `kubectl apply -f -` takes it.
    process.stdout.write(`${JSON.stringify(secretOf(secret, undefined, credentials), null, 2)}\n`);
  } else if (secret !== undefined) {
    const namespace = process.env.POD_NAMESPACE ?? "rollcast";
    await using kube = await connectKube({ logger });
    const made = await createSecret(kube, { name: secret, namespace }, credentials);
    logger.info({ secret, namespace, made }, made ? "keys made" : "keys are there, left alone");
  } else if (dir !== undefined) {
    const files = { ...credentials, ...makeInstallationKey() };
    const made = await writeFiles(dir, files, values.shared ? SHARED_MODE : OWN_MODE);
    logger.info({ dir, made }, made ? "keys made" : "keys are there, left alone");
  } else {
    throw new ConfigError(
      "say where the keys go: --secret NAME [--print], or --dir DIR [--shared]",
    );
  }
});
