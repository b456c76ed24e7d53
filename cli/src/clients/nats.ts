import { Option } from "commander";
import type { Command } from "commander";
import { loadConfig } from "@rollcast/runtime/config/load";
import { ConfigError } from "@rollcast/shared/errors";
import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import type { Nats } from "@rollcast/nats/connect";
import { natsErrorKind, violationOf } from "@rollcast/nats/nats-error";
import { EXIT, CliError } from "../cli-error.ts";

const CONNECT_MS = 10_000;
/** The NATS user for people at the command line; its replies arrive at `_INBOX_operator.>`. */
const USER = "operator";
/** What to do if NATS refuses the user. */
export const SEED_HINT = "give the seed of the user operator (nats-operator.nk) by --nkey";

export type NatsTargetOptions = {
  readonly nats?: string;
  readonly nkey?: string;
  readonly natsCa?: string;
  readonly config?: string;
};

export function withNats(command: Command): Command {
  return command
    .addOption(new Option("--nats <url>", "where NATS is").env("ROLLCAST_NATS_URL"))
    .addOption(
      new Option("--nkey <file>", "seed of the user operator of NATS").env("ROLLCAST_NKEY_FILE"),
    )
    .addOption(
      new Option("--nats-ca <file>", "the authority of its certificate, with tls://").env(
        "ROLLCAST_NATS_CA_FILE",
      ),
    )
    .addOption(
      new Option("--config <file>", "a rollcast.yaml that says how to reach it").env(
        "ROLLCAST_CONFIG",
      ),
    );
}

/** Turns an error of NATS into a {@link CliError} that says what to do about it. */
export function toNatsCliError(err: unknown): unknown {
  const fail = (message: string, hint: string) =>
    new CliError(EXIT.unreachable, message, hint, { cause: err });
  switch (natsErrorKind(err)) {
    case "permission": {
      const { operation = "", subject = "" } = violationOf(err) ?? {};
      const what = operation === "publish" ? "ask" : "listen to";
      // The rest of the subject is specific to this connection.
      const where = subject.replace(/^(_INBOX_[^.]+)\..*/, "$1.>");
      return fail(`NATS does not let this user ${what} ${where}`, SEED_HINT);
    }
    case "credentials":
      return fail("NATS refuses the credentials", SEED_HINT);
    case "missing":
      return fail("the stream of events is not there", "run the provision step, or check --nats");
    case "unanswered":
      return fail(
        "NATS does not answer for the stream of events",
        "does it have JetStream, and a leader? rollcast doctor looks at it",
      );
    default:
      return err;
  }
}

/** A logger that remembers why the last attempt to connect failed. */
function createReasonLogger() {
  let reason: string | undefined;
  const write = (line: string) => {
    const { err } = JSON.parse(line) as { err?: { message?: string } };
    reason = err?.message ?? reason;
  };
  return { logger: createLogger("rollcast", "warn", { write }), reason: () => reason };
}

/** Treats an empty environment variable as unset. */
const nonEmpty = (value: string | undefined) => (value === "" ? undefined : value);

/** Whether the options say where NATS is. */
export function hasNatsTarget({ nats, config }: NatsTargetOptions): boolean {
  return nonEmpty(nats) !== undefined || nonEmpty(config) !== undefined;
}

function targetOf(options: NatsTargetOptions) {
  const file = nonEmpty(options.config);
  const configured = file === undefined ? undefined : loadConfig({ ROLLCAST_CONFIG: file }).nats;
  const url = nonEmpty(options.nats) ?? configured?.url;
  if (url === undefined) {
    throw new CliError(EXIT.usage, "where is NATS?", "name it by --nats, or by --config");
  }
  const seed = nonEmpty(options.nkey);
  const ca = nonEmpty(options.natsCa);
  return {
    ...configured,
    url,
    ...(seed === undefined ? {} : { nkey: { file: seed } }),
    ...(ca === undefined ? {} : { tls: { ...configured?.tls, ca } }),
  };
}

/** Connects. Throws {@link CliError} if nothing answers in time or the user is refused. */
export async function openNats(options: NatsTargetOptions): Promise<Nats> {
  const { logger, reason } = createReasonLogger();
  try {
    const target = targetOf(options);
    const signal = AbortSignal.timeout(CONNECT_MS);
    return await connectNats({ ...target, name: USER, logger }, signal);
  } catch (err) {
    if (err instanceof CliError) throw err;
    if (natsErrorKind(err) === "credentials") throw toNatsCliError(err);
    if (err instanceof ConfigError) {
      const hint =
        options.config === undefined ? "see rollcast --help" : "rollcast config check FILE";
      throw new CliError(EXIT.usage, err.message, hint, { cause: err });
    }
    const why = reason();
    const message = `NATS cannot be reached${why === undefined ? "" : `: ${why}`}`;
    throw new CliError(EXIT.unreachable, message, "check --nats", { cause: err });
  }
}
