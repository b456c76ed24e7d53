import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { contentDigest } from "./content-digest.ts";
import type { SourceObject } from "./content-digest.ts";
import type { Change, Rejection, Write } from "./evidence.ts";

const MARKER = "rollcast.dev/config";

/**
 * What is used of an audit Event:
 * https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/#audit-k8s-io-v1-Event
 */
export type AuditLine = {
  readonly stage: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
  readonly objectRef?: {
    readonly resource: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly subresource?: string;
  };
  /** Of a JSON Patch its operations. */
  readonly requestObject?: unknown;
  readonly responseStatus?: { readonly code?: number; readonly message?: string };
  readonly responseObject?: AnsweredObject;
};

type AnsweredObject = SourceObject & {
  readonly metadata: {
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly generation?: number;
  };
  readonly spec?: {
    readonly replicas?: number;
    readonly template?: { readonly metadata?: { readonly annotations?: Record<string, string> } };
  };
};

/** Whose log it is: the namespace that is looked at, and the user that Rollcast is. */
export type AuditScope = {
  readonly namespace: string;
  readonly rollcast: string;
  /** The installation key. */
  readonly key: Buffer;
};

/** What an audit log says, each list in the order of the writes. */
export type AuditRecord = {
  readonly writes: readonly Write[];
  readonly rejections: readonly Rejection[];
  readonly changes: readonly Change[];
  /** When the deletion of a pod was requested, by its uid. */
  readonly deletions: ReadonlyMap<string, number>;
};

const KINDS: Readonly<Record<string, string>> = {
  deployments: "Deployment",
  statefulsets: "StatefulSet",
  daemonsets: "DaemonSet",
  configmaps: "ConfigMap",
  secrets: "Secret",
  pods: "Pod",
};

const ACCEPTED = 300;

function byOf({ requestURI, userAgent = "" }: AuditLine): string {
  const manager = new URL(requestURI, "https://localhost").searchParams.get("fieldManager");
  return manager ?? userAgent.split("/", 1)[0] ?? "";
}

function templateOf(object: AnsweredObject | undefined) {
  const { template } = object?.spec ?? {};
  const { [MARKER]: marker, ...annotations } = template?.metadata?.annotations ?? {};
  const metadata = { ...template?.metadata, annotations };
  return { marker, template: JSON.stringify({ ...template, metadata }) };
}

/** The generation that a guarded patch was made for. */
function guardOf({ requestObject }: AuditLine): number | undefined {
  if (!Array.isArray(requestObject)) return undefined;
  const operations = requestObject as readonly { op?: string; path?: string; value?: unknown }[];
  const guard = operations.find(({ op, path }) => op === "test" && path === "/metadata/generation");
  return typeof guard?.value === "number" ? guard.value : undefined;
}

/**
 * An answer with the revision of another write changed nothing itself. That a guarded patch did its
 * answer shows: it has the next generation.
 */
function rankOf(line: AuditLine): number {
  const guard = guardOf(line);
  if (guard === undefined) return 1;
  return line.responseObject?.metadata.generation === guard + 1 ? 0 : 2;
}

/** A write of a workload that was accepted; of a scale's answer, the template is not known. */
function writeOf(line: AuditLine, workload: string, scope: AuditScope) {
  const object = line.responseObject;
  const isScale = line.objectRef?.subresource === "scale";
  return {
    isScale,
    rank: rankOf(line),
    workload,
    revision: Number(object?.metadata.resourceVersion),
    receivedAt: Date.parse(line.requestReceivedTimestamp),
    answeredAt: Date.parse(line.stageTimestamp),
    by: byOf(line),
    isRollcast: line.user.username === scope.rollcast,
    generation: isScale ? undefined : object?.metadata.generation,
    replicas: object?.spec?.replicas,
    ...(isScale ? { marker: undefined, template: "" } : templateOf(object)),
  };
}

type ParsedWrite = ReturnType<typeof writeOf>;

/** In order, each scale with the template of before. */
function ordered(writes: readonly ParsedWrite[]): Write[] {
  const last = new Map<string, Write>();
  return writes
    .toSorted((a, b) => a.revision - b.revision || a.rank - b.rank || a.receivedAt - b.receivedAt)
    .map((parsed) => {
      const { isScale, rank: _, ...write } = parsed;
      const before = last.get(write.workload);
      const { marker, template } = isScale && before !== undefined ? before : write;
      const whole = { ...write, marker, template };
      last.set(write.workload, whole);
      return whole;
    });
}

function changeOf(line: AuditLine, kind: string, { key }: AuditScope): Change | undefined {
  const object = line.responseObject;
  if (object === undefined) return undefined;
  return {
    source: `${kind}/${object.metadata.name}`,
    revision: Number(object.metadata.resourceVersion),
    receivedAt: Date.parse(line.requestReceivedTimestamp),
    answeredAt: Date.parse(line.stageTimestamp),
    digest: contentDigest(key, kind, object),
  };
}

/** What lines of an audit log say. */
export function auditRecord(lines: Iterable<AuditLine>, scope: AuditScope): AuditRecord {
  const writes: ParsedWrite[] = [];
  const rejections: Rejection[] = [];
  const changes: Change[] = [];
  const deletions = new Map<string, number>();
  for (const line of lines) {
    const { objectRef, responseStatus, requestURI, stage, verb } = line;
    const kind = KINDS[objectRef?.resource ?? ""];
    const isOfIt = objectRef?.namespace === scope.namespace && kind !== undefined;
    if (!isOfIt || stage !== "ResponseComplete" || requestURI.includes("dryRun=")) continue;
    const name = objectRef.name ?? line.responseObject?.metadata.name ?? "";
    const code = responseStatus?.code ?? 0;
    const isSource = kind === "ConfigMap" || kind === "Secret";
    if (code >= ACCEPTED) {
      if (isSource || kind === "Pod") continue;
      rejections.push({
        workload: `${kind}/${name}`,
        answeredAt: Date.parse(line.stageTimestamp),
        isRollcast: line.user.username === scope.rollcast,
        code,
        message: responseStatus?.message ?? "",
      });
    } else if (kind === "Pod") {
      const uid = line.responseObject?.metadata.uid;
      const at = Date.parse(line.requestReceivedTimestamp);
      if (uid !== undefined) deletions.set(uid, Math.min(at, deletions.get(uid) ?? at));
    } else if (isSource) {
      const change = verb === "delete" ? undefined : changeOf(line, kind, scope);
      if (change !== undefined) changes.push(change);
    } else if (verb !== "delete") writes.push(writeOf(line, `${kind}/${name}`, scope));
  }
  changes.sort((a, b) => a.revision - b.revision);
  return { writes: ordered(writes), rejections, changes, deletions };
}

/** Reads an audit log; one line at a time, because it may be larger than a string can be. */
export async function readAuditLog(file: string, scope: AuditScope): Promise<AuditRecord> {
  const lines: AuditLine[] = [];
  for await (const text of createInterface({ input: createReadStream(file) })) {
    if (text.includes(`"namespace":"${scope.namespace}"`))
      lines.push(JSON.parse(text) as AuditLine);
  }
  return auditRecord(lines, scope);
}
