import type { RollcastEvent } from "@rollcast/shared/events";
import type { Delivery } from "./webhook-server.ts";
import { DEMO } from "./demo-objects.ts";

/** The expected end of the demo, fed with the pipeline's own events and deliveries. */
export type DemoExpectation = {
  /** Starts to count events: in an existing cluster other rollouts may be in progress. */
  begin(): void;
  onEvent(event: RollcastEvent): void;
  onDelivery(delivery: Delivery): void;
  /**
   * Resolves when both Deployments are healthy and the webhook was called; rejects with the reason
   * when that has become impossible.
   */
  readonly happened: Promise<void>;
};

/** Expects every Deployment to be healthy again and a signed message to arrive. */
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
      // The first message may be about one Deployment only, if the other takes longer.
      if (waiting.size < DEMO.deployments.length) delivered = true;
      check();
    },
    happened: promise,
  };
}
