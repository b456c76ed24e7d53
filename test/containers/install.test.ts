import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startBridgedCluster } from "./bridge.ts";
import { commandsOf } from "./install-page.ts";
import { openProject } from "./project.ts";

test("docs/install.md, followed line by line, for a cluster of one's own", async () => {
  await using cluster = await startBridgedCluster();
  await using project = await openProject();
  const home = join(project.dir, "home");
  await mkdir(join(home, ".kube"), { recursive: true });
  await copyFile(cluster.flattened, join(home, ".kube", "config"));
  // One shell for all, as a user has; another test may have the port.
  const api = `127.0.0.1:${project.ports.restarter}`;
  const type = async (heading: string, before: readonly string[] = []) => {
    const lines = await commandsOf(project.dir, heading);
    const script = ["set -ex", ...before, ...lines].join("\n").replaceAll("127.0.0.1:8081", api);
    const { DOCKER_CONFIG = join(process.env.HOME ?? "", ".docker") } = process.env;
    const ended = await project.sh(script, { HOME: home, DOCKER_CONFIG });
    expect(ended.code, `${heading}: ${ended.output}`).toBe(0);
    return ended.output;
  };
  const [exports = ""] = await commandsOf(project.dir, "For a cluster of yours");
  expect(exports).toMatch(/^export ROLLCAST_KUBECONFIG=/);

  await type("For a cluster of yours");
  await type("Receivers and configuration");
  const file = join(project.dir, "deploy", "compose", "secrets", "slack-url");
  expect(await readFile(file, "utf8")).toMatch(/^https:/);
  const output = await type("The command line", [exports]);
  expect(output).toMatch(/rollcast_?.*ok/s);
  expect(output).toContain('"cluster":"local"');
});
