import { reasonToken } from "@rollcast/shared/reason-token";
import { CIRCUIT_STATES } from "./http/circuit.ts";
import type { Circuit } from "./http/circuit.ts";
import type { Metrics } from "@rollcast/runtime/metrics";
import type { Backlog } from "./model/backlog.ts";

export type NotifierMetrics = {
  /**
   * Initializes the counters of these receivers, so that they are visible before the first message.
   */
  initialize(receivers: Iterable<string>): void;
  sent(receiver: string): void;
  retried(receiver: string, reason: string): void;
  dead(receiver: string, reason: string): void;
  waiting(byReceiver: ReadonlyMap<string, Backlog>): void;
  /** How many records of the bucket cannot be read. */
  unreadable(count: number): void;
};

/**
 * The notifier's metrics. Reasons are our own words and HTTP statuses, so their number is bounded.
 */
export function createNotifierMetrics(
  metrics: Metrics,
  circuits: () => ReadonlyMap<string, Circuit>,
): NotifierMetrics {
  const sent = metrics.counter("rollcast_notifications_sent_total", "Messages delivered", [
    "receiver",
  ]);
  const retried = metrics.counter(
    "rollcast_notifications_retried_total",
    "Attempts that failed or were delayed, by reason",
    ["receiver", "reason"],
  );
  const dead = metrics.counter(
    "rollcast_notifications_dead_total",
    "Messages moved to the dead letters, by reason",
    ["receiver", "reason"],
  );
  const waiting = metrics.gauge(
    "rollcast_notifications_waiting",
    "Messages not delivered yet, as of the last resync",
    ["receiver"],
  );
  const oldest = metrics.gauge(
    "rollcast_notifications_oldest_seconds",
    "How long the oldest of them has waited, as of the last resync",
    ["receiver"],
  );
  const unreadable = metrics.gauge(
    "rollcast_notify_unreadable",
    "Records of the bucket notify that cannot be read, as of the last resync",
    [],
  );
  metrics.gauge(
    "rollcast_receiver_circuit",
    "1 for the current state of a receiver's circuit breaker",
    ["receiver", "state"],
    (gauge) => {
      gauge.reset();
      for (const [receiver, circuit] of circuits()) {
        for (const state of CIRCUIT_STATES) {
          gauge.set({ receiver, state }, circuit.state() === state ? 1 : 0);
        }
      }
    },
  );
  return {
    initialize(receivers) {
      for (const receiver of receivers) sent.inc({ receiver }, 0);
    },
    sent: (receiver) => sent.inc({ receiver }),
    retried: (receiver, reason) => retried.inc({ receiver, reason: reasonToken(reason) }),
    unreadable: (count) => unreadable.set(count),
    dead: (receiver, reason) => dead.inc({ receiver, reason: reasonToken(reason) }),
    waiting(byReceiver) {
      const now = Date.now();
      waiting.reset();
      oldest.reset();
      // Removed receivers are included until their last notification is a dead letter.
      for (const receiver of new Set([...circuits().keys(), ...byReceiver.keys()])) {
        const { count, oldestAt } = byReceiver.get(receiver) ?? { count: 0, oldestAt: now };
        waiting.set({ receiver }, count);
        oldest.set({ receiver }, Math.max(now - oldestAt, 0) / 1_000);
      }
    },
  };
}
