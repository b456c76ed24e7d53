import type { NotifierConfig } from "@rollcast/shared/config/notifier";

/** Why a name in a workload's annotation is ignored. */
export type Refusal = { readonly name: string; readonly reason: "Unknown" | "NotAllowed" };

/** The result of a workload's annotation. */
export type AnnotatedReceivers = {
  /** Receivers to notify in addition to those of the route tree. */
  readonly receivers: readonly string[];
  /** Whether the route tree is ignored. */
  readonly exclusive: boolean;
  readonly refused: readonly Refusal[];
};

const NONE = "none";

/** Whether `text` matches `pattern`, in which `*` matches anything; in linear time. */
export function matchesGlob(pattern: string, text: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return text === pattern;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const index = text.indexOf(part, at);
    if (index < 0) return false;
    at = index + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/**
 * Reads the workload annotation `rollcast.dev/notify`. Names add receivers; `none` disables the
 * route tree. If any name is refused, the route tree stays in effect, so that somebody is notified.
 */
export function readAnnotation(
  config: Pick<NotifierConfig, "annotation" | "receivers">,
  namespace: string,
  listed: readonly string[],
): AnnotatedReceivers {
  const allowed = config.annotation.namespaces.some((pattern) => matchesGlob(pattern, namespace));
  const configured = new Set(config.receivers.map(({ name }) => name));
  const names = listed.filter((name) => name !== NONE);
  const refused = names.flatMap((name): Refusal[] => {
    if (!configured.has(name)) return [{ name, reason: "Unknown" }];
    return allowed ? [] : [{ name, reason: "NotAllowed" }];
  });
  const excludesRoutes = listed.includes(NONE);
  if (excludesRoutes && !allowed) refused.push({ name: NONE, reason: "NotAllowed" });
  return {
    receivers: allowed ? names.filter((name) => configured.has(name)) : [],
    exclusive: excludesRoutes && refused.length === 0,
    refused,
  };
}
