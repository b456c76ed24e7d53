import process from "node:process";
import { Option } from "commander";
import type { Command } from "commander";
import { loadConfig } from "@rollcast/shared/config/load";
import { parseDuration } from "@rollcast/shared/duration";
import { ConfigError } from "@rollcast/shared/errors";
import { eventWord } from "@rollcast/shared/events";
import type { RollcastEvent } from "@rollcast/shared/events";
import { createLogger } from "@rollcast/shared/logger";
import { connectNats } from "@rollcast/shared/nats/connect";
import type { Nats } from "@rollcast/shared/nats/connect";
import { tailEvents } from "@rollcast/shared/nats/tail";
import { EXIT, Failure } from "../failure.ts";
import { outputOf, withOutput } from "../options.ts";
import type { OutputOptions } from "../options.ts";
import type { Output } from "../output.ts";
import { refText } from "../refs.ts";

const CONNECT_MS = 10_000;
/** Where the object begins. */
const HANG = 27;

export type NatsOptions = { readonly nats?: string; readonly config?: string };

export function withNats(command: Command): Command {
  return command
    .addOption(new Option("--nats <url>", "where NATS is").env("ROLLCAST_NATS_URL"))
    .addOption(
      new Option("--config <file>", "a rollcast.yaml that says how to reach it").env(
        "ROLLCAST_CONFIG",
      ),
    );
}

/** Connects as the options say. Throws {@link Failure} where nothing answers in time. */
export async function openNats(options: NatsOptions): Promise<Nats> {
  const { nats: url, config: file } = options;
  if (url === undefined && file === undefined) {
    throw new Failure(EXIT.usage, "where is NATS?", "name it by --nats, or by --config");
  }
  const logger = createLogger("rollcast", "silent");
  try {
    const known = file === undefined ? {} : loadConfig({ ROLLCAST_CONFIG: file }).nats;
    const target = { ...known, ...(url === undefined ? {} : { url }) } as { url: string };
    const signal = AbortSignal.timeout(CONNECT_MS);
    return await connectNats({ ...target, name: "rollcast", logger }, signal);
  } catch (err) {
    if (err instanceof ConfigError) {
      throw new Failure(EXIT.usage, err.message, "rollcast config check FILE", { cause: err });
    }
    const hint = "check --nats, and that you may connect";
    throw new Failure(EXIT.unreachable, "NATS cannot be reached", hint, { cause: err });
  }
}

type Options = OutputOptions &
  NatsOptions & { readonly filter: string; readonly since?: string; readonly follow: boolean };

function about(event: RollcastEvent): string {
  const data = event.data as { cause?: { kind: string; name: string }; reason?: string };
  const cause =
    data.cause === undefined ? "" : `for ${data.cause.kind.toLowerCase()}/${data.cause.name}`;
  return [cause, data.reason ?? ""].filter((part) => part !== "").join(" ");
}

const DAY_MS = 86_400_000;

/** The time of day (UTC), with the day where that is not the last one. */
function timeText(time: string): string {
  const isOld = Date.now() - Date.parse(time) > DAY_MS;
  return time.slice(isOld ? 0 : 11, 19).replace("T", " ");
}

function show(out: Output, event: RollcastEvent): void {
  const { domain, word } = eventWord(event.type);
  const [kind = "", namespace, name] = (event.subject ?? "").split("/");
  const object =
    namespace === undefined || name === undefined
      ? (event.subject ?? "")
      : refText({ kind, namespace, name });
  const parts = [timeText(event.time), `${domain}.${word}`.padEnd(17), object, about(event)];
  const style = word === "failed" || word === "dead" ? "bad" : undefined;
  out.line(parts.join(" ").trimEnd(), style, HANG);
}

async function tail(options: Options): Promise<void> {
  const out = outputOf(options);
  const { since, filter } = options;
  const back = since === undefined ? undefined : parseDuration(since);
  if (since !== undefined && back === undefined) {
    throw new Failure(EXIT.usage, `--since ${since} is no duration`, "write it like 1h or 30m");
  }
  if (!/^[\w*.>-]+$/.test(filter)) {
    const hint = "write it like rollout.failed.> or source.*.secret.shop.*";
    throw new Failure(EXIT.usage, "--filter is no subject", hint);
  }
  await using nats = await openNats(options);
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  const events = tailEvents(nats, {
    filter: `rollcast.v1.*.${filter}`,
    since: back === undefined ? undefined : Date.now() - back,
    follow: options.follow,
    signal: stop.signal,
  });
  for await (const event of events) out.stream(event, () => show(out, event));
}

export function addEvents(program: Command): void {
  const events = program.command("events").description("what happened, from NATS");
  const command = events
    .command("tail")
    .description("events as they come, one a line, until Ctrl-C")
    .option(
      "--filter <subject>",
      "only these, like rollout.failed.> (what follows the cluster)",
      ">",
    )
    .option("--since <duration>", "also those of the last time, like 1h")
    .option("--no-follow", "end after what is there")
    .action(tail);
  withNats(withOutput(command));
}
