import type { Nats } from "@rollcast/nats/connect";
import { MIN_SERVER, inspectNats } from "@rollcast/nats/inspect";
import { SEED_HINT } from "../clients/nats.ts";
import { ok, todo } from "./finding.ts";
import type { Finding } from "./finding.ts";

/** NATS: its version, what `provision` makes there, and whether this user may look at it. */
export async function checkNats(nats: Nats): Promise<Finding[]> {
  const { version, isNew, missing, forbidden, faults } = await inspectNats(nats);
  const findings = [
    isNew
      ? ok("nats", `reached, version ${version}`)
      : todo("nats", `version ${version}`, `upgrade to ${MIN_SERVER} or newer`),
  ];
  if (forbidden.length > 0) {
    const what = `this user may not ask about ${forbidden.join(", ")}`;
    findings.push(todo("nats", what, SEED_HINT));
  }
  if (missing.length > 0) {
    findings.push(todo("nats", `not there: ${missing.join(", ")}`, "run the provision step"));
  }
  for (const fault of faults) {
    findings.push(todo("nats", fault, "do all servers of NATS run, with JetStream?"));
  }
  if (findings.length === 1) findings.push(ok("nats", "streams and buckets are there"));
  return findings;
}
