import { setTimeout as sleep } from "node:timers/promises";
import type { RollcastEvent } from "@rollcast/shared/events";
import type { KubeClient } from "@rollcast/kube/client";
import type { Delivery } from "./hook.ts";
import { DEMO, applyDemo, editDemo, isDemoRunning } from "./objects.ts";
import type { Printer } from "./printer.ts";

const LOOK_MS = 100;

/** What the story waits for, told by the pipeline itself. */
export type Witness = {
  /** From now on what is seen counts: in a cluster that was there before, something may have been under way. */
  begin(): void;
  onEvent(event: RollcastEvent): void;
  onDelivery(delivery: Delivery): void;
  /** Resolves when both Deployments are healthy and the webhook was told; rejects with the reason when that cannot happen any more. */
  readonly happened: Promise<void>;
};

/** Watches for the demo's end: every Deployment healthy again, and a signed message that arrived. */
export function createWitness(): Witness {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined);
  const waiting = new Set<string>(DEMO.deployments);
  let begun = false;
  let delivered = false;
  const look = () => {
    if (delivered && waiting.size === 0) resolve();
  };
  return {
    begin() {
      begun = true;
    },
    onEvent(event) {
      const name = event.subject?.split("/").at(-1) ?? "";
      if (!begun || !event.subject?.includes(`/${DEMO.namespace}/`)) return;
      if (event.type === "dev.rollcast.rollout.succeeded.v1") waiting.delete(name);
      if (event.type === "dev.rollcast.rollout.failed.v1") {
        const { reason = "", message = "" } = event.data;
        reject(new Error(`the rollout of ${DEMO.namespace}/${name} failed: ${reason} ${message}`));
      }
      look();
    },
    onDelivery({ fault }) {
      if (fault !== undefined) reject(new Error(`the webhook's signature is wrong: ${fault}`));
      // The first message may tell of one Deployment only, where the other takes longer.
      if (waiting.size < DEMO.deployments.length) delivered = true;
      look();
    },
    happened: promise,
  };
}

async function until(look: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!(await look())) await sleep(LOOK_MS, undefined, { signal });
}

export type StoryOptions = {
  readonly client: KubeClient;
  /** Whether a change from now on is one: what the Deployments run with is known. */
  readonly isSettled: () => Promise<boolean>;
  readonly printer: Printer;
  readonly witness: Witness;
  readonly signal: AbortSignal;
};

/** Applies the demo (disposal of what is returned takes it away) and waits until it runs. */
export async function prepareDemo(
  client: KubeClient,
  signal: AbortSignal,
): Promise<AsyncDisposable> {
  await using undo = new AsyncDisposableStack();
  undo.use(await applyDemo(client));
  await until(() => isDemoRunning(client), signal);
  const kept = undo.move();
  return { [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() };
}

/** Changes the demo's ConfigMap and waits for what follows. Throws with the reason where it does not. */
export async function playDemo(options: StoryOptions): Promise<void> {
  const { client, isSettled, printer, witness, signal } = options;
  await until(isSettled, signal);
  printer.say("");
  witness.begin();
  const value = await editDemo(client);
  printer.tell(
    `somebody sets ${DEMO.key}=${value} in ConfigMap ${DEMO.namespace}/${DEMO.configMap}`,
    Date.now(),
  );
  await witness.happened;
}
