import type { RollcastEvent } from "@rollcast/shared/events";
import type { Delivery } from "./webhook-server.ts";
import { DEMO } from "./demo-objects.ts";

/** What the story waits for, told by the pipeline itself. */
export type DemoExpectation = {
  /** From now on what is seen counts: in a cluster that was there before, something may have been under way. */
  begin(): void;
  onEvent(event: RollcastEvent): void;
  onDelivery(delivery: Delivery): void;
  /** Resolves when both Deployments are healthy and the webhook was told; rejects with the reason when that cannot happen any more. */
  readonly happened: Promise<void>;
};

/** Watches for the demo's end: every Deployment healthy again, and a signed message that arrived. */
export function createDemoExpectation(): DemoExpectation {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined);
  const waiting = new Set<string>(DEMO.deployments);
  let begun = false;
  let delivered = false;
  const check = () => {
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
      check();
    },
    onDelivery({ fault }) {
      if (fault !== undefined) reject(new Error(`the webhook's signature is wrong: ${fault}`));
      // The first message may tell of one Deployment only, where the other takes longer.
      if (waiting.size < DEMO.deployments.length) delivered = true;
      check();
    },
    happened: promise,
  };
}
