import process from "node:process";
import { httpPort } from "./config/load.ts";

// A program for images, which have no shell: it exits with 0 where the service in this container is ready, else with 1.
try {
  const url = `http://127.0.0.1:${httpPort(process.env)}/readyz`;
  const { ok } = await fetch(url, { signal: AbortSignal.timeout(4_000) });
  process.exitCode = ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
