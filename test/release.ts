import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import type { ClusterAccess } from "@rollcast/testkit/write-kubeconfig";
import { chartDir, helm, objectsIn } from "@rollcast/testkit/helm";
import { available } from "./apply.ts";

/** The release `rollcast` in a cluster, made, changed and removed by Helm itself. */
export type Release = {
  /** What Helm prints, with the chart's notes. */
  install(...set: readonly string[]): Promise<string>;
  upgrade(...set: readonly string[]): Promise<string>;
  /** To the revision before. */
  rollback(): Promise<string>;
  uninstall(): Promise<string>;
  /** What it consists of now, once all of it is available. */
  objects(): Promise<AnyObject[]>;
};

type ReleaseOptions = {
  /** A chart's folder; this checkout's by default. */
  readonly chart?: string;
  /** Path of a file with values. */
  readonly values?: string;
};

export function helmRelease(
  { kubeconfig, api }: ClusterAccess & { readonly api: Api },
  namespace: string,
  options: ReleaseOptions = {},
): Release {
  const { chart = chartDir() } = options;
  const where = [`--kubeconfig=${kubeconfig}`, `--namespace=${namespace}`];
  const file = options.values === undefined ? [] : [`--values=${options.values}`];
  const values = (set: readonly string[]) => [...file, ...set.map((value) => `--set=${value}`)];
  return {
    install: (...set) =>
      helm("install", "rollcast", chart, "--create-namespace", ...where, ...values(set)),
    upgrade: (...set) => helm("upgrade", "rollcast", chart, ...where, ...values(set)),
    rollback: () => helm("rollback", "rollcast", ...where),
    uninstall: () => helm("uninstall", "rollcast", ...where),
    async objects() {
      const objects = objectsIn(await helm("get", "manifest", "rollcast", ...where));
      await available(api, objects);
      return objects;
    },
  };
}
