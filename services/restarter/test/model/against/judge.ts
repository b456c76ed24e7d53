import { isAllowed } from "./is-allowed.ts";
import type { AllowedOptions, Verdict } from "./is-allowed.ts";
import type { Trace } from "./trace.ts";

export type Judgement = Omit<Verdict, "result"> & {
  readonly result: Verdict["result"] | "allowed with kwok's deletions";
};

/** The model's word on a trace; where it does not allow it, once more with what only kwok does. */
export function judge(trace: Trace, options: AllowedOptions = {}): Judgement {
  const verdict = isAllowed(trace, options);
  if (verdict.result === "allowed" || trace.kind !== "StatefulSet") return verdict;
  const withKwok = isAllowed(trace, { ...options, kwok: true });
  return withKwok.result === "allowed"
    ? { ...withKwok, result: "allowed with kwok's deletions" }
    : verdict;
}
