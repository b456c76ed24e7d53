import process from "node:process";
import { parseArgs } from "node:util";
import { connectKube } from "@rollcast/kube/client";
import { ConfigError } from "@rollcast/shared/errors";
import { createLogger } from "@rollcast/runtime/logger";
import { runOnce } from "@rollcast/runtime/run";
import { makeCredentials } from "./credentials.ts";
import { createSecret, secretOf } from "./create-secret.ts";
import { changeOwner, parseOwnership } from "./folder-ownership.ts";
import type { Shape } from "./key-places.ts";
import { writeKeys } from "./write-keys.ts";

/** Containers of one compose file run as different users. */
const SHARED_MODE = 0o444;
const OWN_MODE = 0o400;

function shapeOf(text: string | undefined): Shape | undefined {
  if (text === undefined || text === "services" || text === "all-in-one") return text;
  throw new ConfigError("--shape must be services or all-in-one");
}

const logger = createLogger("keys");
await runOnce(logger, async () => {
  const { values } = parseArgs({
    options: {
      secret: { type: "string" },
      print: { type: "boolean", default: false },
      dir: { type: "string" },
      shape: { type: "string" },
      shared: { type: "boolean", default: false },
      own: { type: "string", multiple: true, default: [] },
    },
  });
  const { secret, dir } = values;
  const [shape, owned] = [shapeOf(values.shape), values.own.map(parseOwnership)];
  if (secret !== undefined && values.print) {
    // JSON is YAML, and `kubectl apply -f -` takes it.
    const printed = secretOf(secret, undefined, makeCredentials());
    process.stdout.write(`${JSON.stringify(printed, null, 2)}\n`);
  } else if (secret !== undefined) {
    const namespace = process.env.POD_NAMESPACE ?? "rollcast";
    await using kube = await connectKube({ logger });
    const made = await createSecret(kube, { name: secret, namespace }, makeCredentials());
    logger.info({ secret, namespace, made }, made ? "keys created" : "keys exist, left unchanged");
  } else if (dir !== undefined) {
    const mode = values.shared ? SHARED_MODE : OWN_MODE;
    const made = await writeKeys({ dir, shape, mode });
    logger.info({ dir, made }, made.length > 0 ? "keys created" : "keys exist, left unchanged");
  } else if (owned.length === 0) {
    throw new ConfigError(
      "say where the keys go: --secret NAME [--print], or --dir DIR [--shape services|all-in-one] [--shared] [--own UID:GID=FOLDER]",
    );
  }
  for (const ownership of owned) {
    const given = await changeOwner(ownership);
    const sentence = given
      ? "folder's owner changed"
      : "folder belongs to its user, left unchanged";
    logger.info({ ...ownership, given }, sentence);
  }
});
