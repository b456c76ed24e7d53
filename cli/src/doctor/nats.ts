import type { Nats } from "@rollcast/shared/nats/connect";
import { MIN_SERVER, inspectNats } from "@rollcast/shared/nats/inspect";
import { ok, todo } from "./finding.ts";
import type { Finding } from "./finding.ts";

/** NATS: its version, and what `provision` makes there. */
export async function checkNats(nats: Nats): Promise<Finding[]> {
  const { version, isNew, missing, faults } = await inspectNats(nats);
  return [
    isNew
      ? ok("nats", `reached, version ${version}`)
      : todo("nats", `version ${version}`, `upgrade to ${MIN_SERVER} or newer`),
    missing.length === 0
      ? ok("nats", "streams and buckets are there")
      : todo(
          "nats",
          `missing: ${missing.join(", ")}`,
          "run the provision step, and check your rights",
        ),
    ...faults.map((fault) => todo("nats", fault, "bring the other servers of NATS back")),
  ];
}
