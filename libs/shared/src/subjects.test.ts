import fc from "fast-check";
import { expect, test } from "vitest";
import { RolloutOutcome, SourceOutcome } from "./events.ts";
import {
  SubjectError,
  deadLetterSubject,
  decodeToken,
  encodeToken,
  kindToken,
  notificationSubject,
  parseRecordKey,
  recordKey,
  rolloutSubject,
  sourceSubject,
} from "./subjects.ts";

/**
 * RFC 1123: what Kubernetes takes as the name of a namespace (label) and of most objects
 * (subdomain).
 */
const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const subdomain = fc.array(label, { minLength: 1, maxLength: 10 }).map((parts) => parts.join("."));
const kind = fc.constantFrom("ConfigMap", "Secret", "Deployment", "CronJob", "DeploymentConfig");
const SUBJECT = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;

test("every Kubernetes name comes back from its token", () => {
  fc.assert(
    fc.property(subdomain, (name) => {
      const token = encodeToken(name);
      expect(token).toMatch(/^[a-z0-9_-]+$/);
      expect(decodeToken(token)).toBe(name);
    }),
  );
});

test("the longest name is taken and one letter more is not", () => {
  expect(decodeToken(encodeToken("a".repeat(253)))).toBe("a".repeat(253));
  expect(() => encodeToken("a".repeat(254))).toThrow(SubjectError);
  expect(() => decodeToken("a".repeat(254))).toThrow(SubjectError);
});

test.each([
  "",
  "*",
  ">",
  "a*",
  "a>",
  "a b",
  "a\tb",
  "a\n",
  "\n",
  "\u0000",
  "Web",
  "a_b",
  "ä",
  "\u212A",
  "a/b",
  "$JS",
  "a:b",
  "\ud800",
])("%j never becomes a token", (name) => {
  expect(() => encodeToken(name)).toThrow(SubjectError);
});

test("whatever text is given, a token or a SubjectError comes out", () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.string(), subdomain);
  fc.assert(
    fc.property(text, (name) => {
      let token: string;
      try {
        token = encodeToken(name);
      } catch (err) {
        expect(err).toBeInstanceOf(SubjectError);
        return;
      }
      expect(token).toMatch(/^[a-z0-9_-]{1,253}$/);
      expect(decodeToken(token)).toBe(name);
    }),
    { numRuns: 1_000 },
  );
});

test("whatever is given as any part of a subject, no wildcard, blank or empty token gets out", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 12 }),
    label,
    fc.constantFrom("*", ">", "a.*", ".", "..", " ", "a b", "X", ""),
  );
  const ref = fc.record({ kind: fc.oneof(kind, text), namespace: text, name: text });
  const makers = [
    (part: string, of: { kind: string; namespace: string; name: string }) =>
      sourceSubject(part, "changed", of),
    (part: string, of: { kind: string; namespace: string; name: string }) =>
      rolloutSubject(part, "failed", of),
    (part: string, of: { name: string }) => notificationSubject(part, "dead", of.name),
    (part: string, of: { name: string }) => deadLetterSubject(part, of.name),
    (part: string, of: { kind: string; namespace: string; name: string }) => recordKey(part, of),
  ];
  fc.assert(
    fc.property(text, ref, fc.constantFrom(...makers), (part, of, make) => {
      let subject: string;
      try {
        subject = make(part, of);
      } catch (err) {
        expect(err).toBeInstanceOf(SubjectError);
        return;
      }
      expect(subject).toMatch(SUBJECT);
    }),
    { numRuns: 2_000 },
  );
});

const web = { kind: "ConfigMap", namespace: "shop", name: "web.v1" };

test("subjects are as documented", () => {
  expect(SourceOutcome.options.map((word) => sourceSubject("prod-eu1", word, web))).toEqual([
    "rollcast.v1.prod-eu1.source.changed.configmap.shop.web_v1",
    "rollcast.v1.prod-eu1.source.created.configmap.shop.web_v1",
    "rollcast.v1.prod-eu1.source.deleted.configmap.shop.web_v1",
  ]);
  for (const word of RolloutOutcome.options) {
    expect(rolloutSubject("prod", word, { ...web, kind: "Deployment" })).toBe(
      `rollcast.v1.prod.rollout.${word}.deployment.shop.web_v1`,
    );
  }
  expect(notificationSubject("prod", "sent", "team-a")).toBe(
    "rollcast.v1.prod.notification.sent.team-a",
  );
  expect(deadLetterSubject("notifier", "malformed")).toBe("rollcast.dlq.v1.notifier.malformed");
});

test.each(["", "Config Map", "Secret.v1", "\u212Aind", "*", "a_b"])("%j is no kind", (name) => {
  expect(() => kindToken(name)).toThrow(SubjectError);
});

test("the names in a record's key come back, its kind in lower case", () => {
  const cluster = label.filter((name) => !name.includes("."));
  fc.assert(
    fc.property(cluster, kind, label, subdomain, (clusterName, kindName, namespace, name) => {
      const key = recordKey(clusterName, { kind: kindName, namespace, name });
      expect(key.split(".")).toHaveLength(4);
      expect(parseRecordKey(key)).toEqual({
        cluster: clusterName,
        kind: kindName.toLowerCase(),
        namespace,
        name,
      });
    }),
  );
});

test("two objects never share a key", () => {
  const ref = fc.record({ kind, namespace: label, name: subdomain });
  fc.assert(
    fc.property(ref, ref, (a, b) => {
      const same = a.kind === b.kind && a.namespace === b.namespace && a.name === b.name;
      expect(recordKey("c", a) === recordKey("c", b)).toBe(same);
    }),
  );
  const dotted = recordKey("c", { kind: "Secret", namespace: "a", name: "b.c" });
  expect(recordKey("c", { kind: "Secret", namespace: "a", name: "b-c" })).not.toBe(dotted);
});

test.each([
  "",
  "prod",
  "prod.installation",
  "prod.coverage.secret_shop",
  "prod.secret.shop",
  "prod.secret.shop.web.more",
  "prod..shop.web",
  "prod.secret.*.web",
  "prod.secret.shop.>",
  "prod.Secret.shop.web",
  `prod.secret.shop.${"a".repeat(254)}`,
])("%j is no key of a record", (key) => {
  expect(parseRecordKey(key)).toBeUndefined();
});
