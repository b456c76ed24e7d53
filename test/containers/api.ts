import type { WorkloadSummary } from "@rollcast/shared/api/workload-views";
import { waitFor } from "@rollcast/testkit/wait";
import type { Project } from "./project.ts";

const TOKEN = "/etc/rollcast/identity/api-token";
const SETTLED_MS = 180_000;
const PAGE = 500;

/** The token of the APIs, as docs/install.md has a user copy it. */
export async function copyToken(project: Project): Promise<string> {
  return (
    await project.evaluate(
      "restarter",
      `process.stdout.write(require("node:fs").readFileSync("${TOKEN}"))`,
    )
  ).trim();
}

/** Workloads of a namespace, as the restarter's API shows them on its published port. */
export async function workloadsOf(
  project: Project,
  token: string,
  namespace: string,
): Promise<WorkloadSummary[]> {
  const url = `http://127.0.0.1:${project.ports.restarter}/v1/workloads?namespace=${namespace}&limit=${PAGE}`;
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return ((await response.json()) as { items: WorkloadSummary[] }).items;
}

/** Waits until `count` workloads of a namespace are known and nothing is to be done for any. */
export async function waitCurrent(
  project: Project,
  token: string,
  namespace: string,
  count: number,
): Promise<void> {
  const look = async () => {
    const workloads = await workloadsOf(project, token, namespace);
    const others = workloads.filter(({ states }) => states.join(" ") !== "current");
    if (workloads.length === count && others.length === 0) return true;
    const shown = others.slice(0, 5).map(({ name, states }) => `${name} ${states.join(" ")}`);
    throw new Error(
      `${workloads.length} workloads, ${others.length} not current: ${shown.join(", ")}`,
    );
  };
  await waitFor(look, {
    message: `${count} workloads to be current`,
    timeout: SETTLED_MS,
    every: 500,
  });
}
