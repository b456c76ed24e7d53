import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { repositoryRoot } from "./binaries.ts";
import { runTool } from "./run-tool.ts";
import type { AnyObject } from "./test-api.ts";

/** Rollcast's chart. */
export function chartDir(): string {
  return join(repositoryRoot(), "deploy", "charts", "rollcast");
}

/** Runs Helm 3; the cluster is the one that `--kubeconfig` names. Fails as {@link runTool}. */
export function helm(...args: readonly string[]): Promise<string> {
  return runTool("helm", args);
}

/** Runs Helm 4, as {@link helm}. */
export function helm4(...args: readonly string[]): Promise<string> {
  return runTool("helm4", args);
}

export type RenderOptions = {
  release?: string;
  namespace?: string;
  /** Paths of files with values. */
  values?: readonly string[];
  /** `path=value`, as Helm takes them. */
  set?: readonly string[];
};

/** What `helm template` makes of the chart. */
export function renderChart(options: RenderOptions = {}): Promise<string> {
  const { release = "rollcast", namespace = "rollcast", values = [], set = [] } = options;
  return helm(
    "template",
    release,
    chartDir(),
    `--namespace=${namespace}`,
    ...values.map((file) => `--values=${file}`),
    ...set.map((value) => `--set=${value}`),
  );
}

/** The objects of a manifest, as Helm prints them. */
export function objectsIn(manifest: string): AnyObject[] {
  return parseAllDocuments(manifest)
    .map((doc) => doc.toJS() as AnyObject | null)
    .filter((object) => object !== null);
}
