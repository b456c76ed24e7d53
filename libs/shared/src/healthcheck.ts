import process from "node:process";
import { httpPort } from "./config/load.ts";

/** For images without a shell: `node libs/shared/src/healthcheck.ts` exits with 0 where the service in this container is ready, else with 1. */
if (import.meta.main) {
  try {
    const url = `http://127.0.0.1:${httpPort(process.env)}/readyz`;
    const { ok } = await fetch(url, { signal: AbortSignal.timeout(4_000) });
    process.exitCode = ok ? 0 : 1;
  } catch {
    process.exitCode = 1;
  }
}
