import { CIRCUIT_STATES } from "./circuit.ts";
import type { Circuit } from "./circuit.ts";
import type { Metrics } from "@rollcast/shared/metrics";

export type NotifierMetrics = {
  sent(receiver: string): void;
  retried(receiver: string, reason: string): void;
  dead(receiver: string, reason: string): void;
  waiting(byReceiver: ReadonlyMap<string, Waiting>): void;
};

/** Messages of a receiver that are not delivered; `oldest` in seconds. */
export type Waiting = { readonly count: number; readonly oldest: number };

/** The notifier's metrics. Reasons are words of ours and HTTP statuses, so they are bounded. */
export function createNotifierMetrics(
  metrics: Metrics,
  circuits: ReadonlyMap<string, Circuit>,
): NotifierMetrics {
  const sent = metrics.counter("rollcast_notifications_sent_total", "Messages delivered", [
    "receiver",
  ]);
  const retried = metrics.counter(
    "rollcast_notifications_retried_total",
    "Tries that failed or were put off, by reason",
    ["receiver", "reason"],
  );
  const dead = metrics.counter(
    "rollcast_notifications_dead_total",
    "Messages put into the dead letters, by reason",
    ["receiver", "reason"],
  );
  const waiting = metrics.gauge(
    "rollcast_notifications_waiting",
    "Messages that are not delivered yet, at the last sweep",
    ["receiver"],
  );
  const oldest = metrics.gauge(
    "rollcast_notifications_oldest_seconds",
    "How long the oldest of them has waited, at the last sweep",
    ["receiver"],
  );
  const receivers = [...circuits.keys()];
  for (const receiver of receivers) sent.inc({ receiver }, 0);
  metrics.gauge(
    "rollcast_receiver_circuit",
    "1 for the state that the circuit of a receiver is in",
    ["receiver", "state"],
    (gauge) => {
      for (const [receiver, circuit] of circuits) {
        for (const state of CIRCUIT_STATES) {
          gauge.set({ receiver, state }, circuit.state() === state ? 1 : 0);
        }
      }
    },
  );
  return {
    sent: (receiver) => sent.inc({ receiver }),
    retried: (receiver, reason) => retried.inc({ receiver, reason }),
    dead: (receiver, reason) => dead.inc({ receiver, reason }),
    waiting(byReceiver) {
      waiting.reset();
      oldest.reset();
      for (const receiver of receivers) {
        const { count, oldest: age } = byReceiver.get(receiver) ?? { count: 0, oldest: 0 };
        waiting.set({ receiver }, count);
        oldest.set({ receiver }, age);
      }
    },
  };
}
