/**
 * A reason, which is CamelCase as Kubernetes' own, in the form that subjects, metric labels and the
 * command line have: `QueuePaused` is `queue-paused`, `Http503` is `http-503`. What has that form
 * already stays as it is; what is no word becomes `unknown`. At most 64 characters. Pure.
 */
export function reasonToken(reason: string): string {
  const token = reason
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replaceAll(/([A-Z])([A-Z][a-z])/g, "$1-$2")
    .replaceAll(/([a-z])([0-9])/g, "$1-$2")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-");
  return token.slice(0, 64).replaceAll(/^-+|-+$/g, "") || "unknown";
}
