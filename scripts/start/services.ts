import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startService } from "@rollcast/testkit/services";
import type { ServiceLogLine, Service } from "@rollcast/testkit/services";
import type { Target } from "./target.ts";
import type { Backends } from "./backends.ts";
import type { SignedWebhook } from "./signed-webhook.ts";

const SERVICES = ["watcher", "restarter", "notifier"] as const;

const READY_MS = 60_000;

/** Writes the installation key to a file, so that nothing has to be created in the cluster. */
async function keyFile(dir: string): Promise<string> {
  const file = join(dir, "installation-key");
  const options = { mode: 0o600, flag: "wx" };
  await writeFile(file, randomBytes(32), options).catch((err: unknown) => {
    if (!(err instanceof Error && "code" in err && err.code === "EEXIST")) throw err;
  });
  return file;
}

function configOf(target: Target, webhook: SignedWebhook, installationKey: string) {
  return {
    apiVersion: "rollcast.dev/v1",
    kind: "Config",
    cluster: target.name,
    installationKey: { file: installationKey },
    notifier: {
      // Users who try something want to see the result at once.
      route: { groupWait: "1s", groupInterval: "1s" },
      receivers: [
        {
          name: "webhook",
          webhook: {
            url: `http://127.0.0.1:${webhook.port}/hook`,
            format: "standard",
            signing: { secretsFrom: [{ env: "ROLLCAST_WEBHOOK_SECRET" }] },
          },
          security: { allowHttp: true, allowCidrs: ["127.0.0.0/8"], allowedPorts: [webhook.port] },
        },
      ],
    },
  };
}

export type Services = AsyncDisposable & {
  /** Rejects when a service ends by itself. */
  readonly broken: Promise<never>;
};

export type ServicesOptions = {
  readonly dir: string;
  readonly target: Target;
  readonly backends: Backends;
  readonly webhook: SignedWebhook;
  readonly onTrouble: (service: string, line: ServiceLogLine) => void;
};

/** Starts the three services and waits until they are ready. */
export async function startServices(options: ServicesOptions): Promise<Services> {
  await using undo = new AsyncDisposableStack();
  const { target, backends, webhook } = options;
  const config = configOf(target, webhook, await keyFile(options.dir));
  const ending = { yes: false };
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);
  const start = async (name: (typeof SERVICES)[number]): Promise<Service> => {
    const service = await startService(name, {
      config,
      natsUrl: backends.natsUrl,
      redisUrl: backends.redisUrl,
      env: {
        ...(name === "notifier" ? { ROLLCAST_WEBHOOK_SECRET: webhook.secret } : target.env),
      },
      onLog: (line) => {
        if (["raw", "error", "fatal"].includes(line.level)) options.onTrouble(name, line);
      },
    });
    undo.use(service);
    void service.exited.then((code) => {
      if (!ending.yes) broken.reject(new Error(`the ${name} ended by itself (${code})`));
    });
    return service;
  };
  const services = await Promise.all(SERVICES.map(start));
  undo.defer(() => {
    ending.yes = true;
  });
  await Promise.race([
    broken.promise,
    Promise.all(services.map((service) => service.waitReady(READY_MS))),
  ]);
  const kept = undo.move();
  return {
    broken: broken.promise,
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}
