import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { listenToEvents } from "@rollcast/demo/listen-to-events";
import { narrateDelivery } from "@rollcast/demo/narrate";
import type { Printer } from "@rollcast/demo/printer";
import { prepareDemo } from "@rollcast/demo/play-demo";
import type { DemoExpectation } from "@rollcast/demo/demo-expectation";
import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import type { Nats } from "@rollcast/nats/connect";
import { startService } from "@rollcast/testkit/services";
import type { Service, ServiceLogLine } from "@rollcast/testkit/services";
import { z } from "zod";
import { startNats } from "@rollcast/testkit/nats";
import { startRedis } from "@rollcast/testkit/redis-server";
import { startWebhookServer } from "@rollcast/demo/webhook-server";
import type { Delivery, WebhookServer } from "@rollcast/demo/webhook-server";
import type { Options } from "./options.ts";
import type { Progress } from "../bootstrap/progress.mjs";
import { openLocalCluster, openUserCluster } from "./target.ts";
import type { Target } from "./target.ts";

/** The parts of a run. Whatever is opened is pushed on `stack`. */
export type RunContext = {
  readonly root: string;
  readonly options: Options;
  /** The folder of this run's data. */
  readonly dir: string;
  readonly printer: Printer;
  readonly progress: Progress;
  readonly stack: AsyncDisposableStack;
  readonly signal: AbortSignal;
};

/** Everything that was started. */
type Environment = {
  readonly target: Target;
  readonly nats: Nats;
  readonly services: Services;
};

async function openTarget(context: RunContext): Promise<Target> {
  const { root, options, dir, printer, progress, stack } = context;
  const logger = createLogger("start", "silent");
  if (options.cluster === undefined) {
    const since = Date.now();
    const target = stack.use(await openLocalCluster(root, dir, logger));
    progress.done("a local control plane", since);
    return target;
  }
  const target = stack.use(await openUserCluster(dir, options.cluster, logger));
  const named = options.cluster.context ?? options.cluster.kubeconfig ?? "";
  printer.say(`Cluster ${named} at ${target.client.server}:`);
  printer.say("  watches it, and rolls only the workloads that are annotated there");
  return target;
}

async function openBackends({ dir, progress, stack }: RunContext) {
  const since = Date.now();
  const backends = stack.use(await startBackends(dir));
  progress.done("NATS and Redis", since);
  return backends;
}

function openWebhook({ printer, stack }: RunContext, expectation: DemoExpectation) {
  const webhook = startSignedWebhook((delivery) => {
    printer.timed(narrateDelivery(delivery), Date.now());
    expectation.onDelivery(delivery);
  });
  return webhook.then((opened) => stack.use(opened));
}

/**
 * Applies the demo. A local cluster is discarded as a whole; from a user's cluster the demo is
 * removed at the end.
 */
function openDemo({ options, stack, progress, signal }: RunContext, target: Target) {
  const since = Date.now();
  const demo = prepareDemo(target.client, signal);
  demo.catch(() => undefined);
  if (options.cluster !== undefined) {
    stack.defer(async () => {
      const made = await demo.catch(() => undefined);
      await made?.[Symbol.asyncDispose]();
    });
  }
  return async () => {
    await demo;
    progress.done("demo: namespace, ConfigMap, Secret, Deployments web and api", since);
  };
}

const WithError = z.object({ err: z.object({ message: z.string() }) });

/** A service's logged error in one line. */
function troubleOf(line: ServiceLogLine): string {
  const { data } = WithError.safeParse(line);
  return data === undefined ? line.msg : `${line.msg}: ${data.err.message}`;
}

/** Starts everything; resolves when the services are ready and, if requested, the demo runs. */
export async function startEnvironment(
  context: RunContext,
  expectation: DemoExpectation,
): Promise<Environment> {
  const { options, dir, printer, progress, stack } = context;
  const webhook = await openWebhook(context, expectation);
  const [backends, target] = await Promise.all([openBackends(context), openTarget(context)]);
  const logger = createLogger("start", "silent");
  const nats = stack.use(await connectNats({ url: backends.natsUrl, name: "start", logger }));
  await listenToEvents(nats, target.name, (event) => {
    // The webhook server reports deliveries itself.
    if (event.type !== "dev.rollcast.notification.sent.v1") printer.event(event);
    expectation.onEvent(event);
  });
  const demoRuns = options.demo ? openDemo(context, target) : undefined;
  const since = Date.now();
  const onTrouble = (service: string, line: ServiceLogLine) =>
    printer.say(`${service}: ${troubleOf(line)}`);
  const services = stack.use(await startServices({ dir, target, backends, webhook, onTrouble }));
  progress.done("watcher, restarter, notifier", since);
  await Promise.race([demoRuns?.(), services.broken]);
  return { target, nats, services };
}

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

type Services = AsyncDisposable & {
  /** Rejects when a service ends by itself. */
  readonly broken: Promise<never>;
};

type ServicesOptions = {
  readonly dir: string;
  readonly target: Target;
  readonly backends: Backends;
  readonly webhook: SignedWebhook;
  readonly onTrouble: (service: string, line: ServiceLogLine) => void;
};

/** Starts the three services and waits until they are ready. */
async function startServices(options: ServicesOptions): Promise<Services> {
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

type Backends = AsyncDisposable & {
  readonly natsUrl: string;
  readonly redisUrl: string;
};

/**
 * Starts NATS and Redis with their data below `dir`, or uses the user's if `NATS_URL` and
 * `REDIS_URL` are set.
 */
async function startBackends(dir: string): Promise<Backends> {
  await using undo = new AsyncDisposableStack();
  const { NATS_URL: natsUrl = "", REDIS_URL: redisUrl = "" } = process.env;
  const storeDir = join(dir, "nats");
  await mkdir(storeDir, { recursive: true });
  const nats = natsUrl === "" ? undo.use(await startNats({ storeDir })) : { url: natsUrl };
  const redis =
    redisUrl === ""
      ? undo.use(await startRedis({ dataDir: join(dir, "redis") }))
      : { url: redisUrl };
  const kept = undo.move();
  return {
    natsUrl: nats.url,
    redisUrl: redis.url,
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}

/** A local webhook, and the secret of its signatures: `whsec_...`, of this run only. */
type SignedWebhook = WebhookServer & { readonly secret: string };

async function startSignedWebhook(
  onDelivery: (delivery: Delivery) => void,
): Promise<SignedWebhook> {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  return Object.assign(
    await startWebhookServer({ secret, host: "127.0.0.1", port: 0, onDelivery }),
    {
      secret,
    },
  );
}
