import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { ConfigError } from "@rollcast/shared/errors";
import { fileFault } from "../files/file-fault.ts";
import type { Logger } from "../logger.ts";
import type { Metrics } from "../metrics.ts";
import { configFile, parseConfig } from "./load.ts";
import type { Env } from "./load.ts";
import type { Config } from "@rollcast/shared/config/schema";

export type WatchConfigOptions = {
  env: Env;
  logger: Logger;
  metrics: Metrics;
  /**
   * Makes the configuration count; called once at the start too, so that a change while the service
   * came up is not missed. Where it throws, the service must go on as it was: a {@link ConfigError}
   * is reported once and tried again when the file has changed, anything else is tried again at the
   * next look.
   */
  apply: (config: Config) => Promise<void>;
  /**
   * What else makes another configuration of the same file, e.g. a digest over the secrets that it
   * refers to.
   */
  also?: () => Promise<string>;
  /** Milliseconds between two looks; default 2 s. */
  periodMs?: number;
};

/** Looks at the configuration until disposal, which waits for an `apply` in flight. */
export type WatchingConfig = AsyncDisposable;

const PERIOD_MS = 2_000;

type Read = { readonly text: string } | { readonly fault: string };

async function readText(file: string): Promise<Read> {
  try {
    return { text: await readFile(file, "utf8") };
  } catch (err) {
    return { fault: fileFault(err, file) };
  }
}

function createReloadMetrics(metrics: Metrics) {
  const successful = metrics.gauge(
    "rollcast_config_last_reload_successful",
    "Whether the configuration as it is now is the one that counts: 0 where it was refused and an older one is kept",
  );
  const at = metrics.gauge(
    "rollcast_config_last_reload_success_timestamp_seconds",
    "When a configuration was last taken",
  );
  const record = (ok: boolean) => {
    successful.set(ok ? 1 : 0);
    if (ok) at.set(Date.now() / 1_000);
  };
  // The process has started with one: a scrape before the first look must not see a refused one.
  record(true);
  return record;
}

/**
 * Applies the file that `ROLLCAST_CONFIG` names whenever its content has changed. It is read by its
 * path again and again: a mounted ConfigMap changes by a swap of symbolic links and an editor by a
 * rename, which a watch of the file itself does not see. A new content counts when two looks agree
 * on it, so that a file in the middle of being written is not taken for a shorter one.
 */
export function watchConfig(options: WatchConfigOptions): WatchingConfig {
  const { env, logger, apply, also = async () => "" } = options;
  const file = configFile(env);
  const recordReload = createReloadMetrics(options.metrics);
  /** Digests: of what counts, of what was refused, of what the last look saw. */
  const digests = { running: "", refused: "", last: "" };
  const digest = async (read: Read) =>
    createHash("sha256")
      .update(JSON.stringify([read, await also()]))
      .digest("hex");
  let fault = false;

  const look = async () => {
    const read = await readText(file);
    const now = await digest(read);
    const stable = now === digests.last;
    digests.last = now;
    if (!stable || now === digests.refused) return;
    if (now === digests.running) {
      if (fault) logger.info({ file }, "configuration reverted to the one in use");
    } else {
      if ("fault" in read) throw new ConfigError(`${file} cannot be read: ${read.fault}`);
      await apply(parseConfig(read.text, file, env));
      // What it refers to may be other secrets now.
      digests.running = await digest(read);
      digests.last = digests.running;
      logger.info({ file }, "configuration reloaded");
    }
    digests.refused = "";
    fault = false;
    recordReload(true);
  };
  return keepLooking(look, options.periodMs ?? PERIOD_MS, (err) => {
    fault = true;
    recordReload(false);
    logger.error({ err, file }, "configuration refused, keeping the previous one");
    if (err instanceof ConfigError) digests.refused = digests.last;
  });
}

/** Calls `look` every `periodMs`, one at a time. */
function keepLooking(
  look: () => Promise<void>,
  periodMs: number,
  onError: (err: unknown) => void,
): WatchingConfig {
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= look()
      .catch(onError)
      .finally(() => {
        running = undefined;
      });
  }, periodMs);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await running;
    },
  };
}
