/** How an installed Reloader was started: flags without dashes, and environment. */
export type ReloaderOptions = {
  readonly flags: ReadonlyMap<string, string>;
  readonly env: ReadonlyMap<string, string>;
};

export const ANNOTATION_FLAGS: Readonly<Record<string, string>> = {
  "auto-annotation": "auto",
  "configmap-auto-annotation": "configMapAuto",
  "secret-auto-annotation": "secretAuto",
  "secretproviderclass-auto-annotation": "secretProviderClassAuto",
  "configmap-annotation": "configMap",
  "secret-annotation": "secret",
  "secretproviderclass-annotation": "secretProviderClass",
  "configmap-exclude-annotation": "configMapExclude",
  "secret-exclude-annotation": "secretExclude",
  "secretproviderclass-exclude-annotation": "secretProviderClassExclude",
  "auto-search-annotation": "search",
  "search-match-annotation": "match",
  "ignore-annotation": "ignore",
  "pause-deployment-annotation": "pausePeriod",
};

/** Flags that need no counterpart, and why. */
export const NEEDLESS: Readonly<Record<string, string>> = {
  "sync-after-restart": "changes made while nothing ran are always found, without restarts",
  "enable-ha": "every service runs with as many replicas as you like",
  "is-argo-rollouts": "kinds that the cluster serves are found by themselves",
  "is-openshift": "kinds that the cluster serves are found by themselves",
  "enable-csi-integration": "SecretProviderClasses are watched where the cluster serves them",
  "log-format": "logs are JSON",
  "pause-deployment-time-annotation": "nothing is paused, so nothing is written",
  "enable-pprof": "there is no profiler; /metrics shows the process",
  "pprof-addr": "there is no profiler; /metrics shows the process",
  "metrics-addr": "set ROLLCAST_HTTP_PORT",
  "health-addr": "set ROLLCAST_HTTP_PORT",
};

export function isTrue(value: string | undefined): boolean {
  return value !== undefined && ["", "1", "t", "T", "true", "True", "TRUE"].includes(value);
}

export function parseList(value: string | undefined): string[] {
  return (value ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** Translates a selector of Reloader: `k:v` means equality, `k=*` means that the label exists. */
export function translateSelector(text: string): string {
  return text
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim().replace(/^([^:=!()\s]+)\s*[:=]\s*\*$/, "$1"))
    .map((part) => part.replace(/^([^:=!()\s]+):([^:=]*)$/, "$1=$2"))
    .join(",");
}
