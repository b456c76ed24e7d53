import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { outcomeTest } from "@rollcast/testkit/outcome-test";
import { paths } from "@rollcast/testkit/objects";
import { cronJob, pathOf } from "@rollcast/testkit/shapes";
import { waitFor } from "@rollcast/testkit/wait";
import { parse } from "yaml";
import { z } from "zod";
import type { Place } from "./place.ts";
import { redisCommand } from "@rollcast/testkit/redis-command";
import { refuseTemplates } from "../refuse-templates.ts";
import { useWorld } from "./world.ts";

const world = useWorld({
  places: [
    "race",
    "plain",
    "testing",
    "untested",
    "conflict",
    "not-found",
    "lost",
    "lost-run",
    "later",
  ],
  config: (namespaces) => ({
    queues: [
      { name: "default", window: "100ms" },
      { name: "later", match: { namespaces: [namespaces.later] }, window: "100ms" },
      {
        name: "single",
        match: { namespaces: [namespaces.lost, namespaces["lost-run"]] },
        window: "100ms",
        attempts: 1,
      },
    ],
  }),
});

const Alerts = z.object({
  groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })),
});

function isOfPatches({ alert }: { readonly alert: string }): boolean {
  return alert === "RollcastPatchErrors";
}

const WATCH = /deployments\?.*watch=/;

/** How many patches of the Deployment came through the proxy. */
function patches({ world: { proxy }, namespace }: Place, name: string): number {
  const path = paths.deployment(namespace, name);
  return proxy.requests.filter((request) => request.method === "PATCH" && request.path === path)
    .length;
}

/**
 * The API server does not say in its answer that the patch's `test` failed: a lost race looks like
 * a refusal.
 */
outcomeTest(
  "a patch that lost the race with an edit by others is decided again, and is no failure (case 1)",
  {
    right: { events: ["planned", "started", "succeeded Complete"] },
  },
  async (begin) => {
    const place = world("race");
    await place.source();
    await place.deploy("web");
    begin();
    place.faults([{ path: WATCH, fault: { do: "stall" } }]);
    await place.api.patch(paths.deployment(place.namespace, "web"), { spec: { replicas: 2 } });
    await place.change();
    await place.firstOf("web", ["failed", "started"]);
    place.faults([]);
    await place.firstOf("web", ["failed", "succeeded"]);
    return { events: place.events("web") };
  },
);

/**
 * More patches than one job decides on: it comes again and again without an attempt being counted.
 */
const MANY = 25;

/**
 * What is told of a Deployment whose patches are refused, and how often they are sent meanwhile.
 */
async function refusedOutcome(place: Place, name: string) {
  await place.change();
  await waitFor(
    () =>
      patches(place, name) > MANY || place.events(name).some((text) => text.startsWith("failed")),
    { message: "the refusal to be told, or a loop", every: 20 },
  );
  await place.firstOf(name, ["planned"]);
  return {
    events: place.events(name),
    patches: patches(place, name) > MANY ? "in a loop" : "few",
  };
}

outcomeTest(
  "a policy's refusal is told once, and the patch is tried later (case 2, plain name)",
  { right: { events: ["planned", "failed Invalid"], patches: "few" } },
  async (begin, undo) => {
    const place = world("plain");
    await place.source();
    await place.deploy("web");
    undo.use(await refuseTemplates(place, "web"));
    begin();
    return refusedOutcome(place, "web");
  },
);

/** The answer names the workload: its name must not be read as the word of a failed `test`. */
outcomeTest(
  "a policy's refusal is told once, also of a workload with `testing` in its name (case 2)",
  {
    right: { events: ["planned", "failed Invalid"], patches: "few" },
  },
  async (begin, undo) => {
    const place = world("testing");
    await place.source();
    await place.deploy("ab-testing");
    undo.use(await refuseTemplates(place, "ab-testing"));
    begin();
    return refusedOutcome(place, "ab-testing");
  },
);

/** Platforms speak of tests too: their sentence must not be read as the word of a failed `test`. */
outcomeTest(
  "a policy's refusal is told once, also where its sentence has the word `testing` (case 2b)",
  {
    right: { events: ["planned", "failed Invalid"], patches: "few" },
  },
  async (begin, undo) => {
    const place = world("untested");
    await place.source();
    await place.deploy("web");
    undo.use(await refuseTemplates(place, "web", "image has not passed testing"));
    begin();
    return refusedOutcome(place, "web");
  },
);

/**
 * A webhook answers with any status it likes; 409 and 404 mean more than that only where the object
 * says so too.
 */
for (const [status, name, reason] of [
  [409, "conflict", "Conflict"],
  [404, "not-found", "NotFound"],
] as const) {
  outcomeTest(
    `a webhook's refusal with ${status} is told once, and the patch is tried later (case 2c, ${status})`,
    {
      right: { events: ["planned", `failed ${reason}`], patches: "few" },
    },
    async (begin) => {
      const place = world(name);
      await place.source();
      await place.deploy("web");
      const message = 'admission webhook "frozen.example.com" denied the request';
      place.faults([
        { method: "PATCH", path: /deployments\/web/, fault: { do: "answer", status, message } },
      ]);
      begin();
      return refusedOutcome(place, "web");
    },
  );
}

/**
 * Nobody knows whether a patch without an answer was applied: its marker on the template says so.
 */
outcomeTest(
  "a last attempt that was applied, and whose answer was lost, is followed and not rolled again (defect 6)",
  {
    right: {
      events: ["planned", "started", "succeeded Complete"],
      generation: 2,
      podsMade: 2,
    },
  },
  async (begin) => {
    const place = world("lost");
    await place.source();
    await place.deploy("web");
    begin();
    place.faults([
      // The restarter must not see its own patch before it has decided what the lost answer means.
      { path: WATCH, fault: { do: "stall" } },
      {
        method: "PATCH",
        path: /deployments\/web/,
        fault: { do: "reset", late: true },
        times: 1,
      },
    ]);
    await place.change();
    await waitFor(() => patches(place, "web") === 1, { message: "the patch", every: 10 });
    await place.firstOf("web", ["failed", "started"], { withinMs: 2_000 });
    place.faults([]);
    await place.firstOf("web", ["succeeded"]);
    return {
      events: place.events("web"),
      generation: await place.generation("web"),
      podsMade: await place.podsMade("web"),
    };
  },
);

/**
 * A CronJob is rolled by a run of its own. Whether that was made, although the answer was lost, its
 * name says: a second one would do its work twice.
 */
outcomeTest(
  "a run of a CronJob that was made, and the answer about it lost, is followed and not made again (defect 6, CronJob)",
  {
    right: { events: ["planned", "started", "succeeded Complete"], runs: 1 },
  },
  async (begin) => {
    const place = world("lost-run");
    const { api, namespace } = place;
    const crons = pathOf("batch/v1", namespace, "cronjobs");
    const jobs = pathOf("batch/v1", namespace, "jobs");
    await place.source();
    await api.create(crons, cronJob(namespace, "sync"));
    await place.adopted("sync", "CronJob");
    begin();
    place.faults([{ method: "POST", path: /jobs/, fault: { do: "reset", late: true }, times: 1 }]);
    await place.change();
    await place.firstOf("sync", ["failed", "started"]);
    place.faults([]);
    // What was refused is due again at once when the workload is edited, not only minutes later.
    await api.patch(`${crons}/sync`, { spec: { startingDeadlineSeconds: 3_600 } }, "kubectl-edit");
    await place.firstOf("sync", ["succeeded"]);
    const { items } = await api.get<{ items: AnyObject[] }>(jobs);
    return { events: place.events("sync"), runs: items.length };
  },
);

/**
 * When the only job of the queue `later` is due, in milliseconds from now; undefined where it does
 * not wait.
 */
async function delayOfJob({ world: { stack } }: Place): Promise<number | undefined> {
  const key = "{rollcast-test}:rollout-later:delayed";
  const answer = await redisCommand(stack.redis.port, `ZRANGE ${key} 0 -1 WITHSCORES`);
  // A count, and the id and the score of the job, each after its length.
  const score = answer[4];
  // BullMQ keeps the time in the score, above 12 bits that order jobs of one millisecond.
  return answer[0] === "*2" ? Number(score) / 4_096 - Date.now() : undefined;
}

/**
 * Any webhook may set `retryAfterSeconds`, so it must not say for how many days a workload stays as
 * it is.
 */
outcomeTest(
  "an answer that asks to come back in days is obeyed for minutes at most (defect 14)",
  {
    right: { events: ["planned"], waits: "minutes" },
  },
  async (begin) => {
    const place = world("later");
    await place.source();
    await place.deploy("web");
    place.faults([
      {
        method: "PATCH",
        path: /deployments\/web/,
        fault: { do: "answer", status: 429, retryAfter: 1_000_000 },
      },
    ]);
    begin();
    await place.change();
    await waitFor(() => patches(place, "web") > 0, { message: "the patch", every: 20 });
    const delayMs = await waitFor(() => delayOfJob(place), { message: "the job to be delayed" });
    await place.firstOf("web", ["planned"]);
    return {
      events: place.events("web"),
      waits: delayMs > 3_600_000 ? "days" : "minutes",
    };
  },
);

/** Admission policies of the platform answer 422, which is also what a lost race looks like. */
outcomeTest(
  "the alert on refused patches counts what a policy refuses (case C)",
  { right: { counted: true } },
  async (begin) => {
    begin();
    const file = join(repositoryRoot(), "deploy", "charts", "rollcast", "files", "alerts.yaml");
    const { groups } = Alerts.parse(parse(await readFile(file, "utf8")));
    const rule = groups.flatMap(({ rules }) => rules).find(isOfPatches);
    return { counted: rule?.expr.includes('{reason="Refused"}') === true };
  },
);
