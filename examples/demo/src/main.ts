// The demo of docker-compose.yml: shows what `npm start` shows, in the cluster that the services
// watch. It is also the webhook's receiver and keeps running as such.
import { once } from "node:events";
import process from "node:process";
import { connectKube } from "@rollcast/kube/client";
import { loadConfig } from "@rollcast/runtime/config/load";
import { httpPort } from "@rollcast/runtime/health/http-port";
import { ConfigError } from "@rollcast/shared/errors";
import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import { run } from "@rollcast/runtime/run";
import { startWebhookServer } from "./webhook-server.ts";
import { listenToEvents } from "./listen-to-events.ts";
import { narrateDelivery } from "./narrate.ts";
import { isDemoReady } from "./demo-state.ts";
import { createPrinter } from "./printer.ts";
import { playDemo, prepareDemo } from "./play-demo.ts";
import { createDemoExpectation } from "./demo-expectation.ts";

const LATE_MS = 180_000;

function secretOf(env: NodeJS.ProcessEnv): string {
  const { ROLLCAST_DEMO_SECRET: secret = "" } = env;
  if (secret === "") throw new ConfigError("ROLLCAST_DEMO_SECRET is not set");
  return secret;
}

function refuseOthersCluster({ ROLLCAST_KUBECONFIG: own = "" }: NodeJS.ProcessEnv): void {
  if (own === "") return;
  throw new ConfigError(
    "ROLLCAST_KUBECONFIG is set, so the services look at that cluster: unset it for the demo, which brings its own",
  );
}

const logger = createLogger("demo", "warn");
await run(logger, async (stack, stop) => {
  refuseOthersCluster(process.env);
  const config = loadConfig(process.env);
  const { cluster } = config;
  const printer = createPrinter((text) => void process.stdout.write(text));
  const expectation = createDemoExpectation();
  const webhook = {
    secret: secretOf(process.env),
    host: "0.0.0.0",
    port: httpPort(process.env),
    onDelivery: (delivery: Parameters<typeof narrateDelivery>[0]) => {
      printer.timed(narrateDelivery(delivery), Date.now());
      expectation.onDelivery(delivery);
    },
  };
  stack.use(await startWebhookServer(webhook));
  const nats = stack.use(await connectNats({ ...config.nats, name: "subscriber", logger }));
  await listenToEvents(nats, cluster, (event) => {
    // The webhook server reports deliveries itself.
    if (event.type !== "dev.rollcast.notification.sent.v1") printer.event(event);
    expectation.onEvent(event);
  });
  const client = stack.use(await connectKube({ logger }));
  const late = AbortSignal.timeout(LATE_MS);
  const signal = AbortSignal.any([stop, late]);
  const play = async () => {
    await prepareDemo(client, signal);
    printer.say("demo: namespace, ConfigMap, Secret, Deployments web and api");
    const isReady = () => isDemoReady(client);
    await playDemo({ client, isReady, printer, expectation, signal });
  };
  await Promise.race([play(), once(signal, "abort")]).catch((err: unknown) => {
    if (!late.aborted) throw err;
  });
  if (late.aborted) throw new Error(`no success within ${LATE_MS / 60_000} minutes`);
  if (stop.aborted) return;
  printer.say("\nit stays up and shows what happens; what to try next: docs/install.md");
});
