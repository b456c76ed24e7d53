import process from "node:process";
import { parseArgs } from "node:util";
import { toError } from "@rollcast/shared/errors";
import { check } from "./check.ts";
import { httpPort } from "../health/http-port.ts";

// A program for images, which have no shell: it prints what /readyz of the service in this
// container says, and exits with 0 where it is ready, else with 1. With --end-after SECONDS it ends
// a service that is not live for so long: an engine does not restart a container for being
// unhealthy, only for having ended. It runs every few seconds in every container, so it imports
// little.

function endAfterMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text) * 1_000;
  throw new Error("--end-after must be a whole number of seconds");
}

try {
  const { values } = parseArgs({ options: { "end-after": { type: "string" } } });
  const ms = endAfterMs(values["end-after"]);
  const limit = ms === undefined ? {} : { endAfterMs: ms };
  const { ready, text } = await check({ port: httpPort(process.env), ...limit });
  process.stdout.write(text);
  process.exitCode = ready ? 0 : 1;
} catch (err) {
  process.stdout.write(`${toError(err).message}\n`);
  process.exitCode = 1;
}
