import process from "node:process";
import type { Command } from "commander";
import { parseDuration } from "@rollcast/shared/duration";
import { eventOutcome } from "@rollcast/shared/events";
import type { RollcastEvent } from "@rollcast/shared/events";
import { tailEvents } from "@rollcast/nats/tail";
import { EXIT, CliError } from "../cli-error.ts";
import { toNatsCliError, openNats, withNats } from "../clients/nats.ts";
import type { NatsTargetOptions } from "../clients/nats.ts";
import { outputOf, withOutput } from "../options.ts";
import type { OutputOptions } from "../options.ts";
import type { Output } from "../output/output.ts";
import { refText } from "../refs.ts";

/** Index of the object's first token in a subject. */
const HANG = 27;

/** The tokens of a subject; the last may be `>`. */
const FILTER = /^(?:(?:[\w-]+|\*)\.)*(?:[\w-]+|[*>])$/;

type Options = OutputOptions &
  NatsTargetOptions & {
    readonly filter: string;
    readonly since?: string;
    readonly follow: boolean;
  };

function about(event: RollcastEvent): string {
  const data = event.data as {
    cause?: { kind: string; name: string };
    reason?: string;
    comment?: string;
  };
  const cause =
    data.cause === undefined ? "" : `for ${data.cause.kind.toLowerCase()}/${data.cause.name}`;
  return [cause, data.reason ?? "", data.comment ?? ""].filter((part) => part !== "").join(" ");
}

const DAY_MS = 86_400_000;

/** The time of day (UTC), with the day where that is not the last one. */
function timeText(time: string): string {
  const isOld = Date.now() - Date.parse(time) > DAY_MS;
  return time.slice(isOld ? 0 : 11, 19).replace("T", " ");
}

function show(out: Output, event: RollcastEvent): void {
  const { domain, outcome } = eventOutcome(event.type);
  const [kind = "", namespace, name] = (event.subject ?? "").split("/");
  const object =
    namespace === undefined || name === undefined
      ? (event.subject ?? "")
      : refText({ kind, namespace, name });
  const parts = [timeText(event.time), `${domain}.${outcome}`.padEnd(17), object, about(event)];
  const style = outcome === "failed" || outcome === "dead" ? "bad" : undefined;
  out.line(parts.join(" ").trimEnd(), style, HANG);
}

async function tail(options: Options): Promise<void> {
  const out = outputOf(options);
  const { since, filter } = options;
  const back = since === undefined ? undefined : parseDuration(since);
  if (since !== undefined && back === undefined) {
    throw new CliError(EXIT.usage, `--since ${since} is no duration`, "write it like 1h or 30m");
  }
  if (!FILTER.test(filter)) {
    const hint = "write it like rollout.failed.> or source.*.secret.shop.*";
    throw new CliError(EXIT.usage, "--filter is no subject", hint);
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
  try {
    for await (const event of events) out.stream(event, () => show(out, event));
  } catch (err) {
    throw toNatsCliError(err);
  }
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
