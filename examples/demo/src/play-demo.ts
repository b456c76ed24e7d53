import { setTimeout as sleep } from "node:timers/promises";
import type { KubeClient } from "@rollcast/kube/client";
import { applyDemo, editDemo } from "./apply-demo.ts";
import { isDemoRunning } from "./demo-state.ts";
import { DEMO } from "./demo-objects.ts";
import type { Printer } from "./printer.ts";
import type { DemoExpectation } from "./demo-expectation.ts";

const POLL_INTERVAL_MS = 100;

async function until(check: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!(await check())) await sleep(POLL_INTERVAL_MS, undefined, { signal });
}

export type PlayOptions = {
  readonly client: KubeClient;
  /** Whether a change will be noticed: the content that the Deployments run with is recorded. */
  readonly isSettled: () => Promise<boolean>;
  readonly printer: Printer;
  readonly expectation: DemoExpectation;
  readonly signal: AbortSignal;
};

/** Applies the demo and waits until it runs. Disposal of the result removes it. */
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

/**
 * Changes the demo's ConfigMap and waits until the expectation is met. Throws with the reason if it
 * cannot be.
 */
export async function playDemo(options: PlayOptions): Promise<void> {
  const { client, isSettled, printer, expectation, signal } = options;
  await until(isSettled, signal);
  printer.say("");
  expectation.begin();
  const value = await editDemo(client);
  printer.timed(
    `somebody sets ${DEMO.key}=${value} in ConfigMap ${DEMO.namespace}/${DEMO.configMap}`,
    Date.now(),
  );
  await expectation.happened;
}
