import { readFileSync } from "node:fs";
import { parseDocument } from "yaml";
import type { z } from "zod";
import { ConfigError } from "../errors.ts";
import { Config } from "./schema.ts";

export type Env = Readonly<Record<string, string | undefined>>;

const MAX_FILE_BYTES = 1_048_576;
const OVERRIDES: Readonly<Record<string, readonly [string, string]>> = {
  ROLLCAST_NATS_URL: ["nats", "url"],
  ROLLCAST_REDIS_URL: ["redis", "url"],
  ROLLCAST_LOG_LEVEL: ["log", "level"],
};

function path(issue: z.core.$ZodIssue): string {
  return issue.path
    .map((part, i) =>
      typeof part === "number" ? `[${part}]` : `${i === 0 ? "" : "."}${String(part)}`,
    )
    .join("");
}

function describe(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const where = path({ ...issue, path: [...issue.path, key] });
      return `${where}: unknown key`;
    });
  }
  return [`${path(issue) || "(file)"}: ${issue.message}`];
}

/**
 * The configuration in `text` (YAML), with the environment's overrides (`ROLLCAST_NATS_URL`, `ROLLCAST_REDIS_URL`, `ROLLCAST_LOG_LEVEL`) on it.
 * Throws one {@link ConfigError} that names every fault with its path in the file.
 */
export function parseConfig(text: string, file: string, env: Env = {}): Config {
  const doc = parseDocument(text, { prettyErrors: true, uniqueKeys: true });
  if (doc.errors.length > 0) {
    const faults = doc.errors.map((err) => `  ${err.message.split("\n")[0]}`);
    throw new ConfigError(`${file} is not valid YAML:\n${faults.join("\n")}`);
  }
  const raw: unknown = doc.toJS({ maxAliasCount: 100 }) ?? {};
  if (typeof raw !== "object" || Array.isArray(raw)) {
    throw new ConfigError(
      `${file}: must be a mapping that starts with apiVersion: rollcast.dev/v1`,
    );
  }
  const merged: Record<string, unknown> = { ...raw };
  for (const [name, [section, key]] of Object.entries(OVERRIDES)) {
    const value = env[name];
    if (value === undefined || value === "") continue;
    const before = merged[section];
    merged[section] = { ...(typeof before === "object" ? before : {}), [key]: value };
  }
  const parsed = Config.safeParse(merged);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.flatMap(describe).map((line) => `  ${line}`);
  throw new ConfigError(`${file} is refused:\n${faults.join("\n")}`);
}

/** Reads and parses the file that `ROLLCAST_CONFIG` names (default `/etc/rollcast/rollcast.yaml`). Throws {@link ConfigError}. */
export function loadConfig(env: Env): Config {
  const file = env.ROLLCAST_CONFIG ?? "/etc/rollcast/rollcast.yaml";
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (err) {
    throw new ConfigError(
      `${file} cannot be read: set ROLLCAST_CONFIG to the path of rollcast.yaml`,
      { cause: err },
    );
  }
  if (text.length > MAX_FILE_BYTES) throw new ConfigError(`${file} is larger than 1 MiB`);
  return parseConfig(text, file, env);
}

/** The port of `/livez`, `/readyz` and `/metrics`: `ROLLCAST_HTTP_PORT`, else `fallback`; 0 takes a free one. */
export function httpPort(env: Env, fallback = 8080): number {
  const text = env.ROLLCAST_HTTP_PORT;
  if (text === undefined || text === "") return fallback;
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) {
    throw new ConfigError(`ROLLCAST_HTTP_PORT is "${text.slice(0, 20)}": must be 0 to 65535`);
  }
  return port;
}
