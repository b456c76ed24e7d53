import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { repositoryRoot, serverBinary } from "./binaries.ts";
import type { AnyObject } from "./test-api.ts";

const run = promisify(execFile);

/** Rollcast's chart. */
export function chartDir(): string {
  return join(repositoryRoot(), "deploy", "charts", "rollcast");
}

/**
 * Runs Helm, without anything of the user's (a cluster is the one that `--kubeconfig` names), and
 * returns what it prints. Throws what it says where it fails.
 */
export async function helm(...args: readonly string[]): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "rollcast-helm-"));
  try {
    const env = { PATH: process.env.PATH, HOME: home };
    const { stdout } = await run(serverBinary("helm"), args, { env, maxBuffer: 64 << 20 });
    return stdout;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
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
