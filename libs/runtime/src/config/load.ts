import { readFileSync } from "node:fs";
import { parseDocument } from "yaml";
import { ConfigError, toError } from "@rollcast/shared/errors";
import { fileFault } from "../files/file-fault.ts";
import { faultLines } from "./faults.ts";
import { Config } from "@rollcast/shared/config/schema";
import { yamlFault } from "./yaml-fault.ts";

export type Env = Readonly<Record<string, string | undefined>>;

const MAX_FILE_BYTES = 1_048_576;
const MAX_ALIASES = 100;
const OVERRIDES: Readonly<Record<string, readonly [string, string]>> = {
  ROLLCAST_NATS_URL: ["nats", "url"],
  ROLLCAST_REDIS_URL: ["redis", "url"],
  ROLLCAST_LOG_LEVEL: ["log", "level"],
};

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The file's mapping; throws where it is none or not valid YAML. */
function parseYaml(text: string, file: string): Record<string, unknown> {
  const doc = parseDocument(text, { prettyErrors: true, uniqueKeys: true });
  const faults = [...doc.errors, ...doc.warnings].map((err) => `  ${yamlFault(err)}`);
  if (faults.length > 0) throw new ConfigError(`${file} is not valid YAML:\n${faults.join("\n")}`);
  let raw: unknown;
  try {
    raw = doc.toJS({ maxAliasCount: MAX_ALIASES });
    // Throws where an alias holds itself.
    JSON.stringify(raw);
  } catch (err) {
    throw new ConfigError(`${file} is not valid YAML:\n  ${yamlFault(toError(err))}`);
  }
  if (raw === null) {
    throw new ConfigError(`${file} is empty: it must start with apiVersion: rollcast.dev/v1`);
  }
  if (!isMapping(raw)) {
    throw new ConfigError(`${file} must be a mapping that starts with apiVersion: rollcast.dev/v1`);
  }
  return raw;
}

/**
 * The configuration in `text` (YAML), with the environment's overrides (`ROLLCAST_NATS_URL`,
 * `ROLLCAST_REDIS_URL`, `ROLLCAST_LOG_LEVEL`) on it. Throws one {@link ConfigError} that names
 * every fault with its path in the file.
 */
export function parseConfig(text: string, file: string, env: Env = {}): Config {
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    throw new ConfigError(`${file} is larger than 1 MiB`);
  }
  const merged = parseYaml(text, file);
  const names = new Map<string, string>();
  for (const [name, [section, key]] of Object.entries(OVERRIDES)) {
    const value = env[name];
    const before = merged[section] ?? {};
    if (value === undefined || value === "" || !isMapping(before)) continue;
    merged[section] = { ...before, [key]: value };
    names.set(`${section}.${key}`, name);
  }
  const parsed = Config.safeParse(merged);
  if (parsed.success) return parsed.data;
  const faults = faultLines(Config, parsed.error.issues, names).map((line) => `  ${line}`);
  throw new ConfigError(`${file} is refused:\n${faults.join("\n")}`);
}

/**
 * The configuration's file: the one that `ROLLCAST_CONFIG` names, else
 * `/etc/rollcast/rollcast.yaml`.
 */
export function configFile(env: Env): string {
  return env.ROLLCAST_CONFIG || "/etc/rollcast/rollcast.yaml";
}

/** Reads and parses {@link configFile}. Throws {@link ConfigError}. */
export function loadConfig(env: Env): Config {
  const file = configFile(env);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (err) {
    throw new ConfigError(
      `${file} cannot be read: ${fileFault(err, file)}; ROLLCAST_CONFIG names the file`,
      { cause: err },
    );
  }
  return parseConfig(text, file, env);
}
