import { readFile, writeFile } from "node:fs/promises";
import { localSecurity } from "@rollcast/testkit/harness/base-config";
import type { TestAnswer } from "@rollcast/testkit/receiver";
import { setSource } from "../world/alert-scenario.ts";
import type { AlertScenario, AlertWorld } from "../world/alert-scenario.ts";
import { deploy } from "../world/deploy.ts";

const NAMES = ["missing", "failing"] as const;

/** Has each receiver answer so; those that are not named are well. */
function answerWith(
  world: AlertWorld,
  answers: Partial<Record<(typeof NAMES)[number], TestAnswer>>,
) {
  world.harness.receiver.answer(({ path }) => {
    const name = NAMES.find((candidate) => path === `/${candidate}`);
    return name === undefined ? {} : (answers[name] ?? {});
  });
}

async function writeConfig(world: AlertWorld, edit: (text: string) => string): Promise<void> {
  const files = world.pods.of("notifier").map(({ process }) => process?.configFile ?? "");
  for (const file of files) await writeFile(file, edit(await readFile(file, "utf8")));
}

/** One with a typing error. */
const broken = (text: string) => text.replace("notifier:", "notifierr:");
const mended = (text: string) => text.replace("notifierr:", "notifier:");

/** Receivers that fail for good, for long and for a moment; and a configuration with a fault. */
export const receivers: AlertScenario = {
  name: "receivers",
  about:
    "one receiver answers 404 twice; another fails for two minutes and then for long; a changed configuration is refused",
  minutes: 52,
  pods: { watcher: 1, restarter: 1, notifier: 2 },
  config: ({ receiver }) => ({
    notifier: {
      receivers: NAMES.map((name) => ({
        name,
        webhook: { url: `${receiver.url}/${name}` },
        security: localSecurity(receiver),
      })),
      route: {
        receiver: "missing",
        groupWait: "500ms",
        groupInterval: "500ms",
        routes: [{ match: ['name == "failing"'], receiver: "failing" }],
      },
    },
  }),
  async prepare(world) {
    for (const name of NAMES) await deploy(world, name);
  },
  async play(world) {
    await world.at(2);
    answerWith(world, { failing: { status: 500 } });
    await setSource(world, "failing", "1");
    world.act("fails-shortly", "a receiver answers 500");
    await world.at(4);
    answerWith(world, {});
    world.act("well-soon", "it is well again");

    await world.at(6);
    answerWith(world, { missing: { status: 404 } });
    await setSource(world, "missing", "1");
    world.act("first-dead", "another receiver answers 404: its first dead letters");
    await world.at(8);
    answerWith(world, { failing: { instead: "reset" } });
    for (const value of ["2", "3"]) await setSource(world, "failing", value);
    world.act("failing", "the first receiver closes every connection; the other one is well");
    await world.at(9);
    await setSource(world, "failing", "4");

    await world.at(10);
    await writeConfig(world, broken);
    world.act("config-refused-shortly", "the configuration has a fault");
    await world.at(12);
    await writeConfig(world, mended);
    world.act("config-mended-soon", "it has none");
    await world.at(14);
    await writeConfig(world, broken);
    world.act("config-refused", "the configuration has a fault");
    await world.at(22);
    await writeConfig(world, mended);
    world.act("config-mended", "it has none");

    await world.at(28);
    answerWith(world, { failing: { instead: "reset" }, missing: { status: 404 } });
    await setSource(world, "missing", "2");
    world.act("more-dead", "more dead letters of the receiver that has some");
    await world.at(33);
    answerWith(world, {});
    world.act("well", "both receivers are well");
  },
};
