import { createHmac, createHash } from "node:crypto";
import { expect, test } from "vitest";
import { auditRecord } from "./audit-log.ts";
import type { AuditLine } from "./audit-log.ts";
import { contentDigest } from "./content-digest.ts";

const KEY = Buffer.alloc(32, 7);
const SCOPE = { namespace: "app", rollcast: "restarter", key: KEY };
const MARKER = "rollcast.dev/config";

function line(revision: number, more: object = {}): AuditLine {
  const time = new Date(revision).toISOString();
  const annotations = { build: "1", [MARKER]: '{"ConfigMap/cfg":"k.a"}' };
  return {
    stage: "ResponseComplete",
    verb: "patch",
    requestURI: "/apis/apps/v1/namespaces/app/deployments/web?fieldManager=rollcast",
    user: { username: "restarter" },
    userAgent: "rollcast/1",
    requestReceivedTimestamp: time,
    stageTimestamp: time,
    objectRef: { resource: "deployments", namespace: "app", name: "web" },
    responseStatus: { code: 200 },
    responseObject: {
      metadata: { name: "web", uid: "u", resourceVersion: String(revision), generation: 2 },
      spec: { replicas: 2, template: { metadata: { annotations } } },
    },
    ...more,
  };
}

const SCALE = {
  requestURI: "/apis/apps/v1/namespaces/app/deployments/web/scale?fieldManager=hpa",
  user: { username: "admin" },
  objectRef: { resource: "deployments", namespace: "app", name: "web", subresource: "scale" },
  responseObject: { metadata: { name: "web", resourceVersion: "9" }, spec: { replicas: 4 } },
};

test("writes are in the order of their revisions, and a scale keeps the template of before", () => {
  const { writes } = auditRecord([line(9, SCALE), line(8)], SCOPE);

  expect(writes).toMatchObject([
    { workload: "Deployment/web", revision: 8, by: "rollcast", isRollcast: true, generation: 2 },
    { workload: "Deployment/web", revision: 9, by: "hpa", isRollcast: false, replicas: 4 },
  ]);
  expect(writes[1]?.generation).toBeUndefined();
  expect(writes[1]?.marker).toBe(writes[0]?.marker);
  expect(writes[0]?.marker).toContain("ConfigMap/cfg");
  expect(writes[0]?.template).not.toContain(MARKER);
  expect(writes[1]?.template).toBe(writes[0]?.template);
});

test("of two answers with one revision, the patch that made the next generation is the write", () => {
  const guarded = (value: number) => ({
    requestObject: [{ op: "test", path: "/metadata/generation", value }],
  });
  const applied = {
    requestURI: "/apis/apps/v1/namespaces/app/deployments/web?fieldManager=gitops",
    requestReceivedTimestamp: new Date(1).toISOString(),
  };
  const by = (generation: number) =>
    auditRecord([line(8, applied), line(8, guarded(generation))], SCOPE).writes.map(
      (write) => write.by,
    );

  expect(by(1)).toEqual(["rollcast", "gitops"]);
  expect(by(2)).toEqual(["gitops", "rollcast"]);
});

test.each([
  ["another namespace", { objectRef: { resource: "deployments", namespace: "b", name: "web" } }],
  ["a dry run", { requestURI: "/apis/apps/v1/namespaces/app/deployments/web?dryRun=All" }],
  ["a request that is not answered yet", { stage: "ResponseStarted" }],
  ["another kind", { objectRef: { resource: "replicasets", namespace: "app", name: "web" } }],
])("a write of %s is left out", (_, more) => {
  expect(auditRecord([line(8, more)], SCOPE).writes).toEqual([]);
});

test("what is rejected is no write", () => {
  const responseStatus = { code: 422, message: "denied" };
  const { writes, rejections } = auditRecord([line(8, { responseStatus })], SCOPE);

  expect(writes).toEqual([]);
  expect(rejections).toEqual([
    { workload: "Deployment/web", answeredAt: 8, isRollcast: true, code: 422, message: "denied" },
  ]);
});

test("a pod is deleted when that was first requested", () => {
  const of = (revision: number) =>
    line(revision, {
      verb: "delete",
      objectRef: { resource: "pods", namespace: "app", name: "p" },
      responseObject: { metadata: { name: "p", uid: "p1", resourceVersion: "1" } },
    });

  expect(auditRecord([of(9), of(7)], SCOPE).deletions).toEqual(new Map([["p1", 7]]));
});

test("the digest of a source is that of its marker", () => {
  const hmac = (...parts: string[]) => {
    const digest = createHmac("sha256", KEY);
    for (const part of parts) digest.update(part);
    return digest.digest("hex");
  };
  const of = (place: string, value: string) => hmac(place, value).slice(0, 32);
  const want = (pairs: unknown) => {
    const hash = createHash("sha256").update(JSON.stringify(pairs)).digest("hex").slice(0, 32);
    return `${hmac("rollcast key id").slice(0, 16)}.${hash}`;
  };
  const metadata = { namespace: "app", name: "s" };
  const secret = { metadata, data: { b: Buffer.from("2").toString("base64"), a: "" } };

  expect(contentDigest(KEY, "ConfigMap", { metadata, data: { a: "1" } })).toBe(
    want([["a", of('["ConfigMap","app","s","a","text"]', "1")]]),
  );
  expect(contentDigest(KEY, "Secret", secret)).toBe(
    want([
      ["a", of('["Secret","app","s","a","text"]', "")],
      ["b", of('["Secret","app","s","b","text"]', "2")],
    ]),
  );
});
