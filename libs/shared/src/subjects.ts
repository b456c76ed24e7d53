import type { RolloutOutcome, SourceOutcome } from "./events.ts";
import type { FreezeOutcome, FreezeScope, QueueOutcome } from "./operation-events.ts";

/**
 * Subjects of the event stream:
 *
 *     rollcast.v1.<cluster>.source.<changed|created|deleted>.<kind>.<namespace>.<name>
 *     rollcast.v1.<cluster>.rollout.<outcome>.<kind>.<namespace>.<name>
 *     rollcast.v1.<cluster>.notification.<sent|dead>.<receiver>
 *     rollcast.v1.<cluster>.queue.<updated|paused|resumed|reset|halted|released>.<queue>
 *     rollcast.v1.<cluster>.freeze.<frozen|unfrozen>.<cluster | namespace.<namespace> | workload.<kind>.<namespace>.<name>>
 *     rollcast.dlq.v1.<stage>.<reason>
 *
 * Identifiers come last so that a subscriber filters by prefix and wildcard. Kubernetes names may
 * hold dots, which separate tokens: `.` is written `_`, which no Kubernetes name holds, so the
 * encoding is reversible.
 */
export type Subject = string & { readonly __brand: "Subject" };

/** What identifies an object in a cluster. `kind` as Kubernetes spells it (`ConfigMap`). */
export type ObjectRef = {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
};

const KIND = /^[A-Za-z][A-Za-z0-9-]*$/;
const TOKEN = /^[a-z0-9_-]+$/;
const MAX_TOKEN = 253;

/**
 * A token that must never reach a subject: NATS clients do not check wildcards, blanks or empty
 * tokens.
 */
export class SubjectError extends Error {
  override name = "SubjectError";
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

function isToken(text: string): boolean {
  return TOKEN.test(text) && text.length <= MAX_TOKEN;
}

/** One subject token of a Kubernetes name; throws {@link SubjectError} where the name is none. */
export function encodeToken(name: string): string {
  const token = name.replaceAll(".", "_");
  if (name.includes("_") || !isToken(token)) {
    throw new SubjectError(`${quote(name)} cannot be a subject token`);
  }
  return token;
}

/** The Kubernetes name behind a token. */
export function decodeToken(token: string): string {
  if (!isToken(token)) {
    throw new SubjectError(`${quote(token)} is not a subject token`);
  }
  return token.replaceAll("_", ".");
}

/** The token of a kind: lower case, as in `deployment`. */
export function kindToken(kind: string): string {
  // Checked before it is made lower case: letters of other scripts may become a-z by it, and two
  // kinds must never share a token.
  if (!KIND.test(kind)) throw new SubjectError(`${quote(kind)} is not a kind`);
  return encodeToken(kind.toLowerCase());
}

function objectTokens(ref: ObjectRef): string {
  return `${kindToken(ref.kind)}.${encodeToken(ref.namespace)}.${encodeToken(ref.name)}`;
}

export function sourceSubject(cluster: string, outcome: SourceOutcome, ref: ObjectRef): Subject {
  return `rollcast.v1.${encodeToken(cluster)}.source.${outcome}.${objectTokens(ref)}` as Subject;
}

export function rolloutSubject(cluster: string, outcome: RolloutOutcome, ref: ObjectRef): Subject {
  return `rollcast.v1.${encodeToken(cluster)}.rollout.${outcome}.${objectTokens(ref)}` as Subject;
}

export function notificationSubject(
  cluster: string,
  outcome: "sent" | "dead",
  receiver: string,
): Subject {
  return `rollcast.v1.${encodeToken(cluster)}.notification.${outcome}.${encodeToken(receiver)}` as Subject;
}

export function queueSubject(cluster: string, outcome: QueueOutcome, queue: string): Subject {
  return `rollcast.v1.${encodeToken(cluster)}.queue.${outcome}.${encodeToken(queue)}` as Subject;
}

/**
 * The tokens of what a freeze covers: `cluster`, `namespace.<namespace>` or
 * `workload.<kind>.<namespace>.<name>`.
 */
export function freezeTokens(scope: FreezeScope): string {
  if (scope.level === "cluster") return "cluster";
  if (scope.level === "namespace") return `namespace.${encodeToken(scope.namespace)}`;
  return `workload.${objectTokens(scope)}`;
}

export function freezeSubject(
  cluster: string,
  outcome: FreezeOutcome,
  scope: FreezeScope,
): Subject {
  return `rollcast.v1.${encodeToken(cluster)}.freeze.${outcome}.${freezeTokens(scope)}` as Subject;
}

/**
 * Where what cannot be handled goes: `stage` is the service that gave up, `reason` a token.
 */
export function deadLetterSubject(stage: string, reason: string): Subject {
  return `rollcast.dlq.v1.${encodeToken(stage)}.${encodeToken(reason)}` as Subject;
}

/**
 * Key of an object's record in the KV buckets: `<cluster>.<kind>.<namespace>.<name>`, encoded as in
 * subjects.
 */
export function recordKey(cluster: string, ref: ObjectRef): string {
  return `${encodeToken(cluster)}.${objectTokens(ref)}`;
}

/**
 * Namespace and name behind a record's key, its kind as the token spells it (lower case); undefined
 * where the key is none.
 */
export function parseRecordKey(
  key: string,
): { cluster: string; kind: string; namespace: string; name: string } | undefined {
  const tokens = key.split(".");
  if (tokens.length !== 4 || !tokens.every(isToken)) return undefined;
  const [cluster, kind, namespace, name] = tokens.map(decodeToken) as [
    string,
    string,
    string,
    string,
  ];
  return { cluster, kind, namespace, name };
}
