import { dig } from "@rollcast/kube/object";
import type { AnyObject } from "@rollcast/testkit/test-api";
import type { Draft } from "../cluster/object.ts";
import { GONE, observe } from "./observation.ts";
import type { Effect, Placed, Trace } from "./trace.ts";
import type { WatchedVersion } from "./watch-object.ts";

/**
 * A write that was made: which version of the workload it gave, or between which versions it was.
 */
export type Done =
  | { readonly effect: Effect; readonly version: number | undefined }
  | {
      readonly effect: Effect;
      readonly after: number;
      readonly before: number;
      readonly doneAt: number;
    };

/** How long a controller may act as if a pod were still there that is deleted. */
const LAG_MS = 500;
/** How long kwok may go on with the pods of a node that is said to be dead. */
const NODE_LAG_MS = 1_000;

type Seen = {
  readonly text: string;
  readonly version: number;
  readonly byWrite: boolean;
  readonly seenAt: number;
};

const versionOf = ({ metadata }: AnyObject) => Number(metadata.resourceVersion);

/** A controller that ends a pause says so; where only the pause is gone, somebody ended it. */
function isPromoted({ status }: AnyObject): boolean {
  const pauses = dig(status, "pauseConditions");
  return dig(status, "controllerPause") === true && !Array.isArray(pauses);
}

/**
 * An owner's write of a workload raises its generation, or sets the note; a controller's does
 * neither, but for that of Argo, which writes the spec with the revision.
 */
function isOwners(before: AnyObject | undefined, { type, object }: WatchedVersion): boolean {
  if (type !== "MODIFIED" || before === undefined) return true;
  const note = (of: AnyObject) => of.metadata.annotations?.note;
  const revision = (of: AnyObject) => of.metadata.annotations?.["rollout.argoproj.io/revision"];
  if (revision(before) !== revision(object)) return false;
  if (isPromoted(object) && !isPromoted(before)) return true;
  return before.metadata.generation !== object.metadata.generation || note(before) !== note(object);
}

function seenOf(
  kind: string,
  versions: readonly WatchedVersion[],
  written: ReadonlySet<number>,
): Seen[] {
  const all = versions.map((version, i): Seen => {
    const { type, object, seenAt } = version;
    const text = type === "DELETED" ? GONE : observe(kind, { kind, ...object });
    const before = versions[i - 1]?.object;
    const isWritten = type !== "MODIFIED" || written.has(versionOf(object));
    const byWrite = isWritten && isOwners(before, version);
    return { text, version: versionOf(object), byWrite, seenAt };
  });
  return all.filter(({ text, byWrite }, i) => byWrite || text !== all[i - 1]?.text);
}

function place(observed: readonly Seen[], done: Done, earliest: number): Placed | undefined {
  const { effect } = done;
  if ("after" in done) {
    const upTo = (version: number) => observed.filter((entry) => entry.version <= version).length;
    const lag = effect.do === "node" ? NODE_LAG_MS : LAG_MS;
    const late = observed.filter(({ seenAt }) => seenAt <= done.doneAt + lag).length;
    return { effect, at: { from: upTo(done.after), late: Math.max(late, upTo(done.before)) } };
  }
  const at =
    done.version === undefined
      ? observed.findIndex(({ text }, i) => i >= earliest && text === GONE)
      : observed.findIndex(
          ({ version, byWrite }, i) => i >= earliest && byWrite && version === done.version,
        );
  // A write that changes nothing gives no version of its own.
  return at === -1 ? undefined : { effect, at: { exactly: at } };
}

/** Brings what was written and what was observed into one order. */
export function traceOf(run: {
  readonly kind: string;
  readonly workload: Draft;
  readonly nodes?: readonly string[];
  readonly versions: readonly WatchedVersion[];
  readonly done: readonly Done[];
  readonly final: string;
}): Trace {
  const written = run.done.flatMap((done) => ("version" in done ? [done.version ?? 0] : []));
  const observed = seenOf(run.kind, run.versions, new Set(written));
  const effects: Placed[] = [];
  let earliest = 0;
  for (const done of run.done) {
    const placed = place(observed, done, earliest);
    if (placed === undefined) continue;
    effects.push(placed);
    if ("exactly" in placed.at) earliest = placed.at.exactly + 1;
  }
  const { kind, workload, nodes, final } = run;
  const observations = observed.map(({ text }) => text);
  return { kind, workload, nodes, observations, effects, final };
}
