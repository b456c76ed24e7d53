import fc from "fast-check";
import { expect, test } from "vitest";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import type { RolloutOutcome } from "@rollcast/shared/events";
import { nextCommands } from "./message.ts";

function event(outcome: RolloutOutcome, kind = "Deployment", name = "web", namespace = "shop") {
  const workload = { kind, namespace, name, uid: "u" };
  return rolloutEvent({ id: "e", cluster: "c", service: "s", time: 0 }, outcome, { workload });
}

test.each([
  {
    outcome: "failed",
    commands: [
      "kubectl -n shop rollout status deployment/web",
      "rollcast explain deployment/web -n shop",
    ],
  },
  { outcome: "started", commands: ["kubectl -n shop rollout status deployment/web"] },
  { outcome: "throttled", commands: ["rollcast explain deployment/web -n shop"] },
  { outcome: "succeeded", commands: [] },
  { outcome: "superseded", commands: [] },
] as const)("after $outcome run $commands", ({ outcome, commands }) => {
  expect(nextCommands(event(outcome))).toEqual(commands);
});

test.each([
  { kind: "StatefulSet", command: "kubectl -n shop rollout status statefulset/web" },
  { kind: "DaemonSet", command: "kubectl -n shop rollout status daemonset/web" },
  { kind: "CronJob", command: "kubectl -n shop describe cronjob/web" },
  { kind: "Job", command: "kubectl -n shop describe job/web" },
  { kind: "Rollout", command: "kubectl argo rollouts status web -n shop" },
  { kind: "DeploymentConfig", command: "oc -n shop rollout status dc/web" },
  { kind: "constructor", command: undefined },
])("the status command of a $kind is $command", ({ kind, command }) => {
  expect(nextCommands(event("started", kind))).toEqual(command === undefined ? [] : [command]);
});

test("no name makes a command that does anything else", () => {
  const name = fc.oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 30 }),
    fc.constantFrom("web; rm -rf /", "$(id)", "-n", "a b", "`id`", "web\nid", "web.example"),
  );
  fc.assert(
    fc.property(name, name, (namespace, workload) => {
      for (const command of nextCommands(event("failed", "Deployment", namespace, workload))) {
        expect(command).toMatch(/^(kubectl|rollcast) [a-z0-9 ./-]+$/);
      }
    }),
  );
});
