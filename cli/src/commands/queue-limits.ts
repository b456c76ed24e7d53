import type { z } from "zod";
import type { updateQueue } from "@rollcast/shared/api/queue-routes";
import { parseDuration } from "@rollcast/shared/duration";
import { EXIT, CliError } from "../cli-error.ts";

export type QueueLimitOptions = {
  readonly concurrency?: string;
  readonly rate?: string;
  readonly maxRolling?: string;
  readonly maxRollingPerNamespace?: string;
};

export type UpdateBody = z.input<NonNullable<typeof updateQueue.body>>;

function count(text: string, flag: string, clears: boolean): number | null {
  if (clears && text === "none") return null;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  const hint = `give a number from 1 to 1000${clears ? ", or none" : ""}`;
  throw new CliError(EXIT.usage, `${flag} ${text} is no limit`, hint);
}

/** `5/s`, `100/1m30s` or `none`. */
export function parseRate(text: string): { max: number; perMs: number } | null {
  if (text === "none") return null;
  const [, max, per = ""] = /^([1-9]\d{0,4})\/(.+)$/.exec(text) ?? [];
  const perMs = parseDuration(/^\d/.test(per) ? per : `1${per}`);
  if (max !== undefined && perMs !== undefined && perMs >= 100) return { max: Number(max), perMs };
  throw new CliError(EXIT.usage, `--rate ${text} is no rate`, "write it like 5/s, 100/10s or none");
}

export function limitsOf(options: QueueLimitOptions): UpdateBody {
  const { concurrency, rate, maxRolling, maxRollingPerNamespace } = options;
  const limits = {
    concurrency:
      concurrency === undefined ? undefined : (count(concurrency, "--concurrency", false) ?? 1),
    rateLimit: rate === undefined ? undefined : parseRate(rate),
    maxRolling: maxRolling === undefined ? undefined : count(maxRolling, "--max-rolling", true),
    maxRollingPerNamespace:
      maxRollingPerNamespace === undefined
        ? undefined
        : count(maxRollingPerNamespace, "--max-rolling-per-namespace", true),
  };
  if (Object.values(limits).some((limit) => limit !== undefined)) return { limits };
  const hint = "give --concurrency, --rate, --max-rolling or --max-rolling-per-namespace";
  throw new CliError(EXIT.usage, "no limit is named", hint);
}
