import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { freePort } from "@rollcast/testkit/net";
import { startProcess } from "@rollcast/testkit/process";
import { waitFor } from "@rollcast/testkit/wait";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { z } from "zod";
import { usersFile } from "@rollcast/testkit/harness/shipped-users";
import type { InstallShape, NatsUser, ShippedUsers } from "@rollcast/testkit/harness/shipped-users";
import type { Harness } from "@rollcast/testkit/harness/harness-types";
import { startSecuredServers } from "./stack.ts";
import { temporaryDir } from "./temporary.ts";

const OPERATOR = ["operator", ["cli/src/main.ts", "events", "tail"]] as const;
const PROVISION = ["provision", ["jobs/provision/src/main.ts"]] as const;

/** For each shape, the program that each user is for. */
const SHAPES: readonly [InstallShape, readonly (readonly [NatsUser, readonly string[]])[]][] = [
  [
    "services",
    [
      ["watcher", ["services/watcher/src/main.ts"]],
      ["restarter", ["services/restarter/src/main.ts"]],
      ["notifier", ["services/notifier/src/main.ts"]],
      PROVISION,
      ["subscriber", ["examples/demo/src/main.ts"]],
      OPERATOR,
    ],
  ],
  ["all-in-one", [["all-in-one", ["services/all-in-one/src/main.ts"]], PROVISION, OPERATOR]],
];

const Connections = z.object({
  connections: z.array(
    z.object({ name: z.string().optional(), authorized_user: z.string().optional() }),
  ),
});

/** Everybody who has connected to the server, also who is gone; asked of its monitoring. */
async function connectionsOf(monitor: number) {
  const url = `http://127.0.0.1:${monitor}/connz?auth=true&state=all`;
  return Connections.parse(await (await fetch(url)).json()).connections;
}

/** The inboxes that a user may read. */
async function inboxesOf(user: NatsUser, shape: InstallShape): Promise<string[]> {
  const variable = `$ROLLCAST_NKEY_${user.toUpperCase().replaceAll("-", "_")}`;
  const [, own = ""] = (await usersFile("nats-users.conf", shape)).split(`nkey: ${variable}\n`);
  const [, subscribe = ""] = /subscribe: \[(.*?)\]/.exec(own) ?? [];
  return [...subscribe.matchAll(/"(_INBOX[^"]*)"/g)].map(([, subject = ""]) => subject);
}

async function publicKeyOf(
  users: ShippedUsers,
  user: NatsUser,
  shape: InstallShape,
): Promise<string> {
  const file = shape === "services" ? "nats-keys.conf" : "nats-keys-all-in-one.conf";
  const keys = await readFile(join(dirname(users.seedFile(user)), "..", "nats", file), "utf8");
  const variable = `ROLLCAST_NKEY_${user.toUpperCase().replaceAll("-", "_")}`;
  return new RegExp(`^${variable}: (.+)$`, "m").exec(keys)?.[1] ?? "";
}

describe.each(SHAPES)("%s", (shape, programs) => {
  const cleanup = new AsyncDisposableStack();
  let bus: Harness;
  let monitor: number;

  beforeAll(async () => {
    monitor = await freePort();
    const config = `http: 127.0.0.1:${monitor}`;
    bus = cleanup.use(await startSecuredServers({ shape, config }));
  });
  afterAll(() => cleanup.disposeAsync());

  test.each(programs)(
    "%s connects under the name whose inbox its user may read",
    async (user, [main = "", ...args]) => {
      await using made = await temporaryDir("clients");
      const file = join(made.dir, "rollcast.yaml");
      const head = { apiVersion: "rollcast.dev/v1", kind: "Config", cluster: "test" };
      await writeFile(file, stringify({ ...head, ...bus.users.identity(user) }));
      const env = {
        ROLLCAST_CONFIG: file,
        ROLLCAST_NATS_URL: bus.natsUrl,
        ROLLCAST_HTTP_PORT: "0",
        ROLLCAST_DEMO_SECRET: `whsec_${Buffer.from("a secret of the tests").toString("base64")}`,
        KUBECONFIG: "/nowhere",
      };
      const command = [join(repositoryRoot(), main), ...args];
      await using running = await startProcess(process.execPath, command, { env });

      const key = await publicKeyOf(bus.users, user, shape);
      const connected = async () =>
        (await connectionsOf(monitor)).find(({ authorized_user: as }) => as?.includes(key));
      const { name = "" } = await waitFor(connected, { message: `${main} to connect` }).catch(
        (err: unknown) => {
          throw new Error(running.output(), { cause: err });
        },
      );
      expect(name).toMatch(/^rollcast-/);
      const inbox = name.replace(/^rollcast-/, "_INBOX_");
      expect(await inboxesOf(user, shape)).toEqual([`${inbox}.>`]);
    },
  );

  test("no user is without a program, but for subscribers of your own", async () => {
    const text = await usersFile("nats-users.conf", shape);
    const users = [...text.matchAll(/nkey: \$ROLLCAST_NKEY_(\w+)/g)].map(([, name]) => name);
    const expected = programs.map(([user]) => user.toUpperCase().replaceAll("-", "_"));
    expect(new Set(users)).toEqual(new Set([...expected, "SUBSCRIBER"]));
  });
});
