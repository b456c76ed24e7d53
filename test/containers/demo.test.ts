import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { STORY } from "../demo-story.ts";
import { commandsOf } from "./install-page.ts";
import { openProject } from "./project.ts";

const STORY_MS = 300_000;

test("docs/install.md, followed line by line, for the demo: a cluster, a rollout, its signed webhook", async () => {
  await using project = await openProject();
  const [up = "", follow = "", patch = "", down = "", ...more] = await commandsOf(
    project.dir,
    "With a cluster in a container",
  );
  expect(more).toEqual([]);
  const type = async (command: string) => {
    const ended = await project.sh(command);
    expect(ended.code, `${command}: ${ended.output}`).toBe(0);
  };
  await type(up);
  expect(follow).toBe("docker compose logs --follow demo");
  const readLog = () => project.logs("demo");
  const isOver = async () => /it stays up|stopped by an error/.test(await readLog());
  await waitFor(isOver, { timeout: STORY_MS, every: 1_000 }).catch(() => undefined);
  const lines = await readLog();
  for (const part of STORY) expect(lines).toMatch(part);

  await type(patch);
  const isTold = async () => /ConfigMap demo\/web-config changed: GREETING/.test(await readLog());
  await waitFor(isTold, { message: "the demo to tell of it", timeout: 60_000, every: 500 });

  // Once more over what is there.
  await type(`${up} --wait`);

  await type(down);
  const left = await project.sh('docker volume ls --quiet --filter "name=$COMPOSE_PROJECT_NAME"');
  expect(left.stdout).toBe("");
});
