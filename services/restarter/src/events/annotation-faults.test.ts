import { createLogger } from "@rollcast/runtime/logger";
import { expect, test } from "vitest";
import { givenSource } from "../../test/given-situation.ts";
import { givenWorkload, rulesOf } from "../../test/given.ts";
import { createWorkloadIndex } from "../index/workload-index.ts";
import type { QueueAssignment } from "../model/queue-assignment.ts";
import type { Workload } from "../model/workload.ts";
import { createSourceFaultReporter, watchAnnotationFaults } from "./annotation-faults.ts";
import type { KubeEvent } from "./kube-events.ts";

const AUTO = { "rollcast.dev/auto": "true" };

function reporting() {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger("test", "info", {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  let counted = 0;
  const annotationFaults = { set: (_: object, count: number) => void (counted = count) };
  const metrics = { annotationFaults } as Parameters<typeof watchAnnotationFaults>[0]["metrics"];
  return { logger, metrics, lines, counted: () => counted };
}

/** An index whose workloads are in the queue that `assignment` has. */
function watching() {
  const rules = rulesOf();
  const events: KubeEvent[] = [];
  const assignment: { now: QueueAssignment } = { now: { queue: "default" } };
  const { lines, counted, ...reporter } = reporting();
  const index = createWorkloadIndex(rules);
  const ctx = { ...reporter, index, recordEvent: (event: KubeEvent) => void events.push(event) };
  const faults = watchAnnotationFaults(ctx, () => assignment.now);
  let version = 1;
  const edit = (annotations: Record<string, string>, uid = "uid-1") => {
    version += 1;
    index.apply(
      givenWorkload({ annotations, rules, metadata: { uid, resourceVersion: String(version) } }),
    );
  };
  const web = () => index.get("Deployment/shop/web") as Workload;
  return { lines, counted, events, assignment, edit, faults, web };
}

test("what cannot be read is logged, counted and recorded on the workload once per edit", () => {
  const { lines, counted, events, edit } = watching();
  const written = { ...AUTO, "deployment.reloader.stakater.com/pause-period": "5 minutes" };
  edit(written);
  edit({ ...written, "rollcast.dev/queue": "default" });
  expect(lines).toMatchObject([
    {
      level: "warn",
      msg: "invalid annotations",
      workload: { kind: "Deployment", namespace: "shop", name: "web" },
      faults: [{ annotation: "deployment.reloader.stakater.com/pause-period" }],
    },
  ]);
  expect(counted()).toBe(1);
  expect(events).toMatchObject([
    {
      type: "Warning",
      reason: "InvalidAnnotation",
      note: expect.stringContaining('pause-period: "5 minutes" is no duration'),
    },
  ]);

  edit(AUTO);
  edit(written);
  edit(written, "uid-2");
  expect(lines).toHaveLength(3);
  expect(counted()).toBe(1);
  edit(AUTO);
  expect(counted()).toBe(0);
  // The same fault of the same workload is one Event, whoever records it.
  expect(new Set(events.map(({ id }) => id)).size).toBe(2);
});

test("a queue that a workload does not get is recorded when its namespace's labels change too", () => {
  const { events, assignment, edit } = watching();
  const written = { ...AUTO, "rollcast.dev/queue": "gold" };
  edit(written);
  expect(events).toEqual([]);
  assignment.now = { queue: "default", refused: { name: "gold", why: "not-allowed" } };
  edit(written);
  edit(written);
  expect(events.map(({ note }) => note)).toEqual([
    'rollcast.dev/queue: "gold" is no queue that queueAnnotation lets namespace shop choose: rolled in the queue default',
  ]);
});

test("patterns that match more than there is room for are told once, until there is room", () => {
  const { lines, faults, edit, web } = watching();
  const left = ["ConfigMap/shop/app-8", "ConfigMap/shop/app-9"] as const;
  const text =
    '"app-.*" matches more sources than there is room for: the last by name are passed over';
  edit({ "configmap.rollcast.dev/reload": "app-.*" });
  faults.matched(web(), []);
  faults.matched(web(), left);
  faults.matched(web(), left.slice(1));
  edit({ "configmap.rollcast.dev/reload": "app-.*", "rollcast.dev/queue": "default" });
  expect(lines).toMatchObject([
    { faults: [{ annotation: "configmap.rollcast.dev/reload", message: text }] },
  ]);
  expect(faults.of(web())).toHaveLength(1);
  faults.matched(web(), []);
  expect(faults.of(web())).toEqual([]);
  faults.matched(web(), left);
  expect(lines).toHaveLength(2);
});

test("what cannot be read of a source is logged and counted once per edit", () => {
  const { lines, counted, ...reporter } = reporting();
  const report = createSourceFaultReporter({ ...reporter, rules: rulesOf() });
  const annotations = { "reloader.stakater.com/ignore": "True" };
  report(givenSource("aa", { annotations }));
  report(givenSource("bb", { annotations }));
  report(givenSource("bb", { annotations, deletedAt: 1 }));
  report(givenSource("cc", { annotations }));
  expect(lines).toMatchObject([
    {
      level: "warn",
      source: { kind: "ConfigMap", namespace: "shop", name: "cfg" },
      faults: [{ annotation: "reloader.stakater.com/ignore" }],
    },
    { level: "warn" },
  ]);
  expect(counted()).toBe(1);
  report(givenSource("dd"));
  expect(counted()).toBe(0);
});
