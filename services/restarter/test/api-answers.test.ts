import { setTimeout as sleep } from "node:timers/promises";
import { deployment } from "@rollcast/testkit/deployment";
import { FAILS, NEVER_READY } from "@rollcast/testkit/kwok";
import { paths } from "@rollcast/testkit/objects";
import { cronJob, job } from "@rollcast/testkit/shapes";
import { ApiError } from "@rollcast/testkit/test-api";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Fault } from "@rollcast/testkit/fault-proxy";
import { WRITE_MS } from "../src/rollout/jobs.ts";
import type { Answer, Subject } from "./api-answer.ts";
import { WEBHOOK, openWorld } from "./api-answers-world.ts";
import type { World } from "./api-answers-world.ts";
import { crowdOut, deny, hang } from "./api-answers-policies.ts";
import { wordsOf } from "./harness.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld(OF_STATUS.map(({ name }) => name).filter((name) => name !== NO_RIGHT));
});
afterAll(() => world[Symbol.asyncDispose]());

/** A policy's denial with one of the reasons that it may give. */
function policy(name: string, reason: string, tries = 1): Answer {
  const message = "test failed: image has not passed testing";
  const denial = { name: `testing-${name}`, reason, message };
  return {
    name,
    begin: (subject, place) => deny("templates", subject, place, denial),
    tries,
    must: { do: "fail", reason, message },
  };
}

/** The webhook's denial with a status, in words that the API server uses itself. */
function denial(code: number, more: Partial<Answer> & { readonly reason?: string } = {}): Answer {
  const { reason, ...rest } = more;
  const message =
    "Operation cannot be fulfilled: the object has been modified; testing value /metadata/generation failed";
  return {
    name: `denied-${code}`,
    webhook: () => ({ code, message, ...(reason === undefined ? {} : { reason }) }),
    tries: 1,
    must: {
      do: "fail",
      reason: reason ?? `Http${code}`,
      message: `admission webhook "${WEBHOOK}" denied the request: ${message}`,
    },
    ...rest,
  };
}

const RETRIED = { tries: 2, must: { do: "retry" } } as const;
/** The request was carried out: once it was, it need not be sent again. */
const APPLIED = { tries: 1, must: { do: "retry" } } as const;

/** A webhook that acts at the first time and then allows: it is asked again about what it did. */
function once(act: (subject: Subject) => Promise<unknown>): NonNullable<Answer["webhook"]> {
  let isDone = false;
  return async (subject) => {
    if (!isDone) {
      isDone = true;
      await act(subject);
    }
    return undefined;
  };
}

function usesOf(name: string) {
  return { uses: [{ as: "envFrom", configMap: `${name}-cfg` }] } as const;
}

const REFUSED: readonly Answer[] = [
  policy("ab-testing", "Invalid"),
  policy("forbidden", "Forbidden"),
  policy("too-large", "RequestEntityTooLarge"),
  denial(400),
  // The client reads its credentials again, and sends the request again with them.
  denial(401, { tries: 2 }),
  denial(403),
  denial(404),
  denial(404, { name: "denied-not-found", reason: "NotFound" }),
  denial(409),
  denial(409, { name: "denied-conflict", reason: "Conflict" }),
  denial(410),
  denial(422),
  denial(422, { name: "denied-invalid", reason: "Invalid" }),
  denial(409, { name: "run-denied-409", kind: "CronJob", method: "POST", reason: "Conflict" }),
  denial(404, { name: "run-denied-404", kind: "CronJob", method: "POST" }),
  denial(409, {
    name: "run-denied-exists",
    kind: "CronJob",
    method: "POST",
    reason: "AlreadyExists",
    tries: 2,
  }),
  denial(409, { name: "delete-denied-409", kind: "Job", method: "DELETE", reason: "Conflict" }),
  denial(404, { name: "delete-denied-404", kind: "Job", method: "DELETE", reason: "NotFound" }),
  denial(409, { name: "create-denied-409", kind: "Job", method: "POST", reason: "Conflict" }),
  denial(404, { name: "create-denied-404", kind: "Job", method: "POST", reason: "NotFound" }),
  {
    name: "annotations-too-long",
    podAnnotations: { big: "x".repeat(262_144 - 10) },
    tries: 1,
    must: { do: "fail", reason: "Invalid", message: "Too long: may not be more than 262144 bytes" },
  },
  {
    name: "no-right",
    kind: "StatefulSet",
    tries: 1,
    must: { do: "fail", reason: "Forbidden", message: 'cannot patch resource "statefulsets"' },
  },
  {
    ...policy("half-a-refusal", "Invalid", 2),
    fault: { do: "truncate", bytes: 20 },
  },
];

/** The last try, and the object says that nothing of it was done. */
function lastTry(name: string, fault: Fault, reason: string): Answer {
  return { name, queue: "last", fault, tries: 1, must: { do: "fail", reason, message: "" } };
}

const NOT_DONE: readonly Answer[] = [
  lastTry("last-times-out", { do: "stall" }, "Timeout"),
  lastTry("last-503", { do: "answer", status: 503 }, "ServiceUnavailable"),
  lastTry("last-reset", { do: "reset" }, "ECONNRESET"),
];

const UNAVAILABLE: readonly Answer[] = [
  { name: "client-times-out", tries: 1, must: { do: "retry" }, fault: { do: "stall" } },
  { name: "last-times-out-late", queue: "last", ...APPLIED, fault: { do: "stall", late: true } },
  { name: "webhook-429", ...RETRIED, webhook: () => ({ code: 429, message: "testing" }) },
  {
    name: "webhook-retry-after",
    ...RETRIED,
    webhook: () => ({ code: 429, message: "later", details: { retryAfterSeconds: 1 } }),
  },
  { name: "webhook-500", ...RETRIED, webhook: () => ({ code: 500, message: "test failed" }) },
  { name: "webhook-503", ...RETRIED, webhook: () => ({ code: 503, message: "not found" }) },
  { name: "webhook-hangs", ...RETRIED, begin: hang },
  { name: "crowded-out", kind: "DaemonSet", ...RETRIED, begin: crowdOut },
  { name: "retry-after", ...RETRIED, fault: { do: "answer", status: 429, retryAfter: 1 } },
  { name: "timeout-408", ...RETRIED, fault: { do: "answer", status: 408 } },
  { name: "server-500", ...RETRIED, fault: { do: "answer", status: 500 } },
  { name: "gateway-502", ...RETRIED, fault: { do: "answer", status: 502 } },
  { name: "gateway-504", ...RETRIED, fault: { do: "answer", status: 504 } },
  { name: "redirect-307", ...RETRIED, fault: { do: "answer", status: 307 } },
  { name: "reset", ...RETRIED, fault: { do: "reset" } },
  { name: "reset-late", ...APPLIED, fault: { do: "reset", late: true } },
  { name: "half-an-answer", ...APPLIED, fault: { do: "truncate", bytes: 100 } },
  { name: "last-reset-late", queue: "last", ...APPLIED, fault: { do: "reset", late: true } },
  { name: "last-half", queue: "last", ...APPLIED, fault: { do: "truncate", bytes: 100 } },
  {
    name: "get-500",
    kind: "CronJob",
    method: "GET",
    ...RETRIED,
    fault: { do: "answer", status: 500 },
  },
  { name: "get-reset", kind: "CronJob", method: "GET", ...RETRIED, fault: { do: "reset" } },
  {
    name: "get-half",
    kind: "CronJob",
    method: "GET",
    ...RETRIED,
    fault: { do: "truncate", bytes: 100 },
  },
  {
    name: "run-429",
    kind: "CronJob",
    method: "POST",
    ...RETRIED,
    webhook: () => ({ code: 429, message: "testing" }),
  },
  {
    name: "delete-503",
    kind: "Job",
    method: "DELETE",
    ...RETRIED,
    fault: { do: "answer", status: 503, retryAfter: 1 },
  },
  {
    name: "delete-reset-late",
    kind: "Job",
    method: "DELETE",
    ...APPLIED,
    fault: { do: "reset", late: true },
  },
  {
    name: "create-500",
    kind: "Job",
    method: "POST",
    ...RETRIED,
    webhook: () => ({ code: 500, message: "testing" }),
  },
];

/** Of each POST in the namespace: one after the other. */
const UNAVAILABLE_POSTS: readonly Answer[] = [
  {
    name: "run-reset-late",
    kind: "CronJob",
    method: "POST",
    ...APPLIED,
    fault: { do: "reset", late: true },
  },
  {
    name: "create-half",
    kind: "Job",
    method: "POST",
    ...APPLIED,
    fault: { do: "truncate", bytes: 100 },
  },
];

/** The webhook does what others do in the moment between the decision and its write. */
const LOST_RACES: readonly Answer[] = [
  {
    name: "edited",
    webhook: once(({ api, path }) => api.patch(path, { spec: { revisionHistoryLimit: 3 } })),
    tries: 1,
    must: { do: "decide", words: ["planned", "started", "succeeded"] },
  },
  {
    name: "made-again",
    webhook: once(async ({ api, namespace, name, path, collection }) => {
      await api.remove(path);
      await api.create(collection, deployment(namespace, name, usesOf(name)));
      await api.patch(path, { spec: { revisionHistoryLimit: 3 } });
    }),
    tries: 1,
    must: { do: "decide", words: ["planned", "cancelled"] },
  },
  {
    name: "removed",
    webhook: once(({ api, path }) => api.remove(path)),
    tries: 1,
    must: { do: "decide", words: ["planned", "cancelled"] },
  },
  {
    name: "job-made-again",
    kind: "Job",
    method: "DELETE",
    webhook: once(async ({ api, namespace, name, path, collection }) => {
      const body = { propagationPolicy: "Background" };
      await api.call({ method: "DELETE", path, body });
      await api.create(collection, job(namespace, name, usesOf(name)));
    }),
    tries: 1,
    must: { do: "decide", words: ["planned", "cancelled"] },
  },
  {
    name: "owner-was-faster",
    kind: "Job",
    method: "POST",
    webhook: once(async ({ api, namespace, name, collection }) => {
      await api.create(collection, job(namespace, name, usesOf(name)));
    }),
    tries: 1,
    must: { do: "decide", words: ["planned", "cancelled"] },
  },
];

/** How it goes with the Job of a CronJob when this becomes of the patch of its status. */
const FOLLOWED = {
  listed: { do: "follow", listed: true, warned: false, end: "succeeded", reason: /^Complete$/ },
  maybe: { do: "follow", listed: true, warned: true, end: "succeeded", reason: /^Complete$/ },
  unlisted: { do: "follow", listed: false, warned: true, end: "succeeded", reason: /^Complete$/ },
} as const;

function ofStatus(name: string, more: Pick<Answer, "must"> & Partial<Answer>): Answer {
  return { name: `status-${name}`, kind: "CronJob", part: "status", tries: 1, ...more };
}

const NO_RIGHT = "status-no-right";
/** As often as the CronJob's status is read again when others write it. */
const LATE_TRIES = 5;

/** To the patch by which the Job that was made becomes an active one of its CronJob. */
const OF_STATUS: readonly Answer[] = [
  ofStatus("times-out", { must: FOLLOWED.unlisted, fault: { do: "stall" } }),
  ofStatus("times-out-late", { must: FOLLOWED.maybe, fault: { do: "stall", late: true } }),
  ofStatus("taken", { must: FOLLOWED.listed }),
  ofStatus("no-right", { must: FOLLOWED.unlisted }),
  ofStatus("policy", {
    must: FOLLOWED.unlisted,
    begin: (subject, place) => {
      const message = "test failed: active Jobs are the controller's";
      return deny("active", subject, place, { name: "testing-active", reason: "Invalid", message });
    },
  }),
  ...[400, 403, 404, 422, 429, 500].map((code) =>
    ofStatus(`denied-${code}`, { must: FOLLOWED.unlisted, webhook: () => ({ code }) }),
  ),
  ofStatus("denied-409", {
    tries: LATE_TRIES,
    must: FOLLOWED.unlisted,
    webhook: () => ({ code: 409, reason: "Conflict" }),
  }),
  ofStatus("gateway-502", { must: FOLLOWED.unlisted, fault: { do: "answer", status: 502 } }),
  ofStatus("retry-after", {
    must: FOLLOWED.unlisted,
    fault: { do: "answer", status: 429, retryAfter: 1 },
  }),
  ofStatus("reset", { must: FOLLOWED.unlisted, fault: { do: "reset" } }),
  ofStatus("reset-late", { must: FOLLOWED.maybe, fault: { do: "reset", late: true } }),
  ofStatus("half", { must: FOLLOWED.maybe, fault: { do: "truncate", bytes: 100 } }),
  ofStatus("job-fails", {
    podAnnotations: { [FAILS]: "true" },
    must: { ...FOLLOWED.unlisted, end: "failed", reason: /^BackoffLimitExceeded$/ },
    webhook: () => ({ code: 403 }),
  }),
  ofStatus("written-by-others", {
    tries: 2,
    must: FOLLOWED.listed,
    webhook: once(({ api, path }) =>
      api.patch(`${path}/status`, { status: { lastScheduleTime: new Date().toISOString() } }),
    ),
  }),
  ofStatus("suspended", {
    tries: 2,
    must: FOLLOWED.listed,
    webhook: once(({ api, path }) => api.patch(path, { spec: { suspend: true } })),
  }),
  ofStatus("removed", {
    must: { ...FOLLOWED.unlisted, end: "cancelled", reason: /Deleted$/ },
    webhook: once(({ api, path }) => api.remove(path)),
  }),
  ofStatus("made-again", {
    tries: 2,
    must: { ...FOLLOWED.unlisted, end: "cancelled", reason: /^(Recreated|JobDeleted)$/ },
    webhook: once(async ({ api, namespace, name, path, collection }) => {
      await api.remove(path);
      await api.create(collection, cronJob(namespace, name, usesOf(name)));
    }),
  }),
];

async function wordsAbout(name: string): Promise<string[]> {
  return wordsOf(await world.harness.events(), name);
}

/** The object, unless it is gone. */
async function find({ api, path }: Subject): Promise<AnyObject | undefined> {
  return api.get(path).catch((err: unknown) => {
    if (err instanceof ApiError && err.status === 404) return undefined;
    throw err;
  });
}

/** Waits until nothing is left to do for the workload, or it is gone and its record too. */
async function waitDone(subject: Subject, kind?: string): Promise<void> {
  const { name } = subject;
  const isDone = async () => {
    const record = await world.harness.record(name, kind);
    const present = await find(subject);
    if (present === undefined) return record === undefined;
    const { phase, uid, outbox = [], staleSince } = record ?? {};
    const isCurrent = phase === "current" && outbox.length === 0 && staleSince === undefined;
    return isCurrent && uid === present.metadata.uid;
  };
  await waitFor(isDone, { message: `the end of ${name}`, every: 200, timeout: 60_000 }).catch(
    async (err: unknown) => {
      const words = (await wordsAbout(name)).join(", ");
      const record = JSON.stringify(await world.harness.record(name, kind));
      throw new Error(`${name} has no end but ${words}; ${record}`, { cause: err });
    },
  );
}

async function jobsOf({ api, namespace, name }: Subject): Promise<AnyObject[]> {
  const jobs = `/apis/batch/v1/namespaces/${namespace}/jobs`;
  const { items } = await api.get<{ items: AnyObject[] }>(jobs);
  const ofName = new RegExp(`^${name}-[0-9a-f]{10}$`);
  return items.filter(({ metadata }) => ofName.test(metadata.name));
}

/** What was rolled for the change: the marks of it that the cluster has. */
async function rolled(subject: Subject, { kind }: Answer): Promise<number> {
  if (kind === "CronJob") return (await jobsOf(subject)).length;
  const { metadata } = await subject.api.get(subject.path);
  return kind === "Job" ? 0 : (metadata.generation ?? 0);
}

async function expectFailed(
  { name, kind, method }: Answer,
  must: { readonly reason: string; readonly message: string },
): Promise<void> {
  const { reason, message } = await world.harness.waitEvent("failed", name);
  expect(reason).toBe(must.reason);
  expect(message).toContain(must.message);
  const { phase, failure, recreate } = (await world.harness.record(name, kind)) ?? {};
  expect({ phase, attempts: failure?.attempts }).toEqual({ phase: "failed", attempts: 1 });
  expect(failure?.retryAt).toBeGreaterThan(Date.now());
  // A Job that is still there must not be made again when its owner deletes it.
  if (method === "DELETE") expect(recreate).toBeUndefined();
  expect(await wordsAbout(name)).toEqual(["planned", "failed"]);
}

/** The restarter has given a request up by then. */
const CLIENT_WAITS_MS = WRITE_MS + 1_000;

async function meet(answer: Answer): Promise<void> {
  const { name, must, kind } = answer;
  const subject = await world.deploy(answer);
  const before = await rolled(subject, answer);
  const { uid } = (await subject.api.get(subject.path)).metadata;
  await using given = await world.give(answer, subject);
  const sentBefore = world.tries(answer, subject);
  const sent = () => world.tries(answer, subject) - sentBefore;
  await world.harness.change(`${name}-cfg`, "1");
  const message = `${answer.tries} tries of ${name}`;
  await waitFor(() => sent() >= answer.tries, { message, timeout: 60_000 });
  if (must.do === "fail") {
    // Half a refusal says nothing yet; after the last try the object says it.
    if (answer.fault !== undefined && answer.queue !== "last") {
      expect(await wordsAbout(name)).toEqual(["planned"]);
    }
    given.endFault();
    await expectFailed(answer, must);
    if (answer.fault === undefined || answer.queue === "last") expect(sent()).toBe(answer.tries);
    return;
  }
  if (must.do === "retry") {
    if (answer.fault?.do === "stall") await sleep(CLIENT_WAITS_MS);
    expect(await wordsAbout(name)).not.toContain("failed");
    await given[Symbol.asyncDispose]();
  }
  // Its record is current before its rollout too.
  if (must.do !== "decide") await world.harness.waitEvent("started", name);
  await waitDone(subject, kind);
  const words = must.do === "decide" ? must.words : ["planned", "started", "succeeded"];
  expect(await wordsAbout(name)).toEqual(words);
  if (must.do === "decide") return;
  if (kind === "Job") expect((await subject.api.get(subject.path)).metadata.uid).not.toBe(uid);
  else expect(await rolled(subject, answer)).toBe(before + 1);
}

/** Lets the pods of a workload get ready, once it has one. */
async function letReady({ api, namespace, name }: Subject): Promise<void> {
  const pods = `${paths.pod(namespace)}?labelSelector=app%3D${name}`;
  const present = async () => (await api.get<{ items: AnyObject[] }>(pods)).items;
  await waitFor(async () => (await present()).length > 0, { message: `the pod of ${name}` });
  for (const { metadata } of await present()) {
    const path = paths.pod(namespace, metadata.name);
    await api.patch(path, { metadata: { annotations: { [NEVER_READY]: null } } });
  }
}

function warningsOf(name: string): number {
  const lines = world.harness.services.flatMap(({ logs }) => logs);
  return lines.filter(
    ({ msg, workload }) =>
      String(msg).startsWith("Job not added") && (workload as { name: string }).name === name,
  ).length;
}

type Active = { readonly active?: readonly { readonly uid: string }[] };

async function follow(answer: Answer): Promise<void> {
  const { name, must, kind } = answer;
  if (must.do !== "follow") throw new Error(`${name} is of another table`);
  const subject = await world.deploy(answer);
  await using _given = await world.give(answer, subject);
  await world.harness.change(`${name}-cfg`, "1");
  // The Job is told of while the patch waits for its answer.
  await world.harness.waitEvent("started", name);
  const hasEnded = () =>
    world.tries(answer, subject) >= answer.tries && warningsOf(name) >= Number(must.warned);
  await waitFor(hasEnded, { message: `the end of the patch of ${name}`, timeout: 30_000 });
  const made = (await jobsOf(subject)).map(({ metadata }) => metadata.uid);
  if (must.end !== "cancelled") {
    expect(made).toHaveLength(1);
    const { active = [] } = (await subject.api.get(subject.path)).status as Active;
    expect(active.map(({ uid }) => uid)).toEqual(must.listed ? made : []);
    await letReady(subject);
  }
  expect((await world.harness.waitEvent(must.end, name)).reason).toMatch(must.reason);
  if (must.end !== "failed") await waitDone(subject, kind);
  expect(world.tries(answer, subject)).toBe(answer.tries);
  expect(warningsOf(name)).toBe(Number(must.warned));
  expect(await wordsAbout(name)).toEqual(["planned", "started", must.end]);
  const left = (await jobsOf(subject)).map(({ metadata }) => metadata.uid);
  expect(left.filter((uid) => !made.includes(uid))).toEqual([]);
}

// The slowest first: they wait for the time-out of a request.
test.concurrent.for(NOT_DONE)("$name: failed after the last try, and tried later", meet);
test.concurrent.for(UNAVAILABLE)("$name: tried again, and rolled once", meet);
test.concurrent.for(OF_STATUS)("$name: the Job that was made is followed to its end", follow);
test.concurrent.for(REFUSED)("$name: a refusal is reported once, and tried later", meet);
test.concurrent.for(LOST_RACES)("$name: a lost race is decided again, and is no failure", meet);
test.for(UNAVAILABLE_POSTS)("$name: tried again, and made once", meet);

test("each failure is counted by what it was", async () => {
  const [restarter] = world.harness.services;
  const metrics = await (await fetch(`${restarter?.http()}/metrics`)).text();
  const count = (reason: string) =>
    Number(new RegExp(`rollcast_patch_errors_total{reason="${reason}"} (\\d+)`).exec(metrics)?.[1]);

  // What was refused may have been tried once more by now.
  expect(count("Refused")).toBeGreaterThanOrEqual(REFUSED.length);
  // A Job that its owner makes first is no failed write. A race may be lost once more beside load.
  expect(count("Conflict")).toBeGreaterThanOrEqual(LOST_RACES.length - 1);
  expect(count("Conflict")).toBeLessThan(2 * LOST_RACES.length);
  expect(count("Unavailable")).toBeGreaterThanOrEqual(UNAVAILABLE.length);
});
