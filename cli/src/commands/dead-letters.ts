import type { Command } from "commander";
import {
  dropDeadLetter,
  getDeadLetter,
  listDeadLetters,
  redriveDeadLetter,
} from "@rollcast/shared/api/dead-letter-routes";
import { call, callAll } from "../clients/api-client.ts";
import { NOTIFIER, apiOf, outputOf, withApi } from "../options.ts";
import type { ApiOptions, OutputOptions } from "../options.ts";
import { ago } from "../output/format.ts";

type Options = ApiOptions & OutputOptions & { readonly receiver?: string };

async function list(options: Options): Promise<void> {
  const out = outputOf(options);
  const { receiver } = options;
  const query = receiver === undefined ? {} : { receiver };
  const items = await callAll(apiOf(options), listDeadLetters, query);
  const now = Date.now();
  out.result(items, () => {
    if (items.length === 0) {
      out.line("no dead letters");
      return;
    }
    const rows = items.map((item) => [
      item.id,
      ago(item.at, now),
      item.notification?.receiver ?? item.stage,
      { text: item.reason, style: "bad" as const },
      item.message,
    ]);
    out.table(["ID", "WHEN", "RECEIVER", "REASON", "MESSAGE"], rows);
  });
}

async function show(id: string, options: Options): Promise<void> {
  const out = outputOf(options);
  const letter = await call(apiOf(options), getDeadLetter, { params: { id } });
  const now = Date.now();
  out.result(letter, () => {
    out.line(`Letter   ${letter.id}, ${ago(letter.at, now)}`);
    out.line(`Reason   ${letter.reason}: ${letter.message}`, "bad");
    out.line(`Subject  ${letter.subject}`);
    if (letter.notification !== undefined) {
      out.line(`Receiver ${letter.notification.receiver} (${letter.notification.id})`);
    }
    if ((letter.attempts ?? []).length > 0) {
      out.line();
      const rows = (letter.attempts ?? []).map((attempt) => [
        ago(attempt.at, now),
        attempt.reason,
        attempt.message,
      ]);
      out.table(["TRIED", "REASON", "MESSAGE"], rows);
    }
    if ((letter.events ?? []).length > 0) {
      out.line();
      const rows = (letter.events ?? []).map((event) => [
        event.time,
        event.type,
        event.subject ?? "",
      ]);
      out.table(["TIME", "EVENT", "ABOUT"], rows);
    }
    if (letter.body !== undefined) out.line(letter.body);
  });
}

async function redrive(ids: readonly string[], options: Options): Promise<void> {
  const out = outputOf(options);
  for (const id of ids) {
    const answer = await call(apiOf(options), redriveDeadLetter, { params: { id } });
    out.stream({ id, ...answer }, () => out.line(`${id} is sent to ${answer.receiver} again`));
  }
}

async function drop(ids: readonly string[], options: Options): Promise<void> {
  const out = outputOf(options);
  for (const id of ids) {
    await call(apiOf(options), dropDeadLetter, { params: { id } });
    out.stream({ id, dropped: true }, () => out.line(`${id} is dropped`));
  }
}

/** These commands call the notifier, all others the restarter. */
export function addDeadLetters(program: Command): void {
  const letters = program
    .command("dead-letters")
    .description("messages that could not be delivered (asks the notifier's API)");
  const first = letters
    .command("list")
    .description("what waits, oldest first")
    .option("--receiver <name>", "only for this receiver")
    .action(list);
  withApi(first, NOTIFIER);
  withApi(
    letters.command("show <id>").description("one with its attempts and events").action(show),
    NOTIFIER,
  );
  const again = letters.command("redrive <id...>").description("send them again").action(redrive);
  withApi(again, NOTIFIER);
  withApi(
    letters.command("drop <id...>").description("remove them for good").action(drop),
    NOTIFIER,
  );
}
