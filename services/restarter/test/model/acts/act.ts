import type { CallKind } from "../ports/gate.ts";
import type { NodeName, WorkloadName } from "../world/config.ts";
import type { SourceName } from "./objects.ts";

/** What admission does with every write of the workload from now on. */
export type Policy = "adds a label" | "removes our annotation" | "refuses our writes" | "nothing";

/** How another writer changes the workload. */
export type Edit =
  | "edits the template"
  | "edits a label"
  | "removes the marker"
  | "puts the marker before back"
  | "replaces it with the manifest"
  | "applies the manifest"
  | "pauses it"
  | "resumes it"
  | "deletes it"
  | "deletes it and makes it again"
  | "deletes it and leaves its pods"
  | "makes its pods never ready"
  | "makes its pods ready"
  | "opts out"
  | "opts in";

/** Whose workload: `web` where it is left out. */
type Of = { readonly workload?: WorkloadName | undefined };

/**
 * One thing that may happen; where it is not possible, nothing happens. A schedule is a flat list
 * of them, so that a failing one can be made shorter.
 */
export type Act =
  /** Time passes, until the first replica of the restarter is about to make such a call. */
  | {
      readonly do: "pass";
      readonly ms: number;
      readonly until?: CallKind | undefined;
      readonly cluster: boolean;
    }
  | { readonly do: "controllers"; readonly count: number; readonly seed: number }
  | { readonly do: "change source"; readonly source: SourceName; readonly value: number }
  | { readonly do: "delete source"; readonly source: SourceName }
  | ({ readonly do: "scale"; readonly replicas: number } & Of)
  | ({ readonly do: "edit"; readonly edit: Edit } & Of)
  /** Of one workload, or where it is left out of all of them. */
  | ({ readonly do: "policy"; readonly policy: Policy } & Of)
  | {
      readonly do: "lose answers";
      readonly of: CallKind;
      readonly performed: boolean;
      readonly times: number;
    }
  /** Of workloads for three minutes at most: a reflector lists anew what is silent. */
  | { readonly do: "hold watches"; readonly of: "workloads" | "sources"; readonly on: boolean }
  | { readonly do: "break watches"; readonly expired: boolean }
  | { readonly do: "touch records" }
  | { readonly do: "NATS outage"; readonly on: boolean }
  | ({ readonly do: "delete pod" } & Of)
  /** Of a CronJob: its schedule comes, or somebody makes a Job of it. */
  | ({ readonly do: "run Job"; readonly by: "schedule" | "hand" } & Of)
  | { readonly do: "empty Redis" }
  | { readonly do: "kill"; readonly replica: number }
  | { readonly do: "backup" }
  | { readonly do: "restore" }
  | ({ readonly do: "freeze"; readonly minutes: number } & Of)
  | ({ readonly do: "unfreeze" } & Of)
  /** So many pods may be in the namespace; without a number any. */
  | { readonly do: "pod quota"; readonly pods?: number | undefined }
  | { readonly do: "node"; readonly node: NodeName; readonly alive: boolean }
  | { readonly do: "pause queue"; readonly on: boolean }
  | { readonly do: "resume halted" };

export type Schedule = readonly Act[];

function duration(ms: number): string {
  return ms < 120_000 ? `${ms / 1_000} s` : `${ms / 60_000} min`;
}

/** What a schedule ends with. */
export const NO_MORE_FAULTS = "No more faults; everything that is due happens.";

/** The beginning of the sentence of a restore. */
export const RESTORED = "NATS is restored";
/** The beginning of the sentence of every change of admission. */
export const ADMISSION = "Admission does this";
/** The end of the sentence of admission that removes the marker. */
export const REMOVES_MARKER = "removes our annotation.";

/** The sentence of an operator who resumes what was halted. */
export const RESUMED = "An operator resumes the changes that were halted.";

/** An act as a sentence. */
export function sentenceOf(act: Act): string {
  const of = "workload" in act && act.workload !== undefined ? act.workload : undefined;
  const which = of === undefined ? "the workload" : `workload ${of}`;
  switch (act.do) {
    case "pass": {
      const until =
        act.until === undefined
          ? ""
          : `, until the first replica of the restarter is about to ${act.until}`;
      const cluster = act.cluster ? "" : ", with the controllers of the cluster standing still";
      return `Up to ${duration(act.ms)} pass${until}${cluster}.`;
    }
    case "controllers":
      return `The controllers of the cluster do ${act.count} things (order ${act.seed}).`;
    case "change source":
      return `ConfigMap ${act.source} gets content ${act.value}.`;
    case "delete source":
      return `ConfigMap ${act.source} is deleted.`;
    case "scale":
      return `Somebody scales ${which} to ${act.replicas}.`;
    case "edit":
      return of === undefined ? `Its owner ${act.edit}.` : `Of ${of}: its owner ${act.edit}.`;
    case "policy":
      return `${ADMISSION} with every write of ${which} from now on: ${act.policy}.`;
    case "lose answers": {
      const done = act.performed ? "what is asked for is done" : "nothing of it is done";
      return `The next ${act.times === 1 ? "call" : `${act.times} calls`} of the restarter to ${act.of} ${act.times === 1 ? "gets" : "get"} no answer; ${done}.`;
    }
    case "hold watches": {
      const until = act.of === "workloads" ? "for up to 3 min" : "from now on";
      return `Watches of ${act.of} deliver ${act.on ? `nothing ${until}` : "again"}.`;
    }
    case "break watches":
      return `The watches of workloads end${act.expired ? ", and their version has expired" : ""}.`;
    case "touch records":
      return "Another writer writes the workload's record as it is.";
    case "NATS outage":
      return act.on ? "NATS does not answer from now on." : "NATS answers again.";
    case "delete pod":
      return of === undefined ? "Somebody deletes a pod." : `Somebody deletes a pod of ${of}.`;
    case "run Job":
      return act.by === "schedule"
        ? `The schedule of ${which} comes.`
        : `Somebody makes a Job of ${which}.`;
    case "empty Redis":
      return "Redis loses everything.";
    case "kill":
      return `Replica ${act.replica + 1} of the restarter is killed, and another starts.`;
    case "backup":
      return "NATS is backed up.";
    case "restore":
      return `${RESTORED} from the last backup, or from one of the beginning.`;
    case "freeze":
      return `An operator freezes ${which} for ${act.minutes} min.`;
    case "unfreeze":
      return of === undefined
        ? "An operator takes the freeze away."
        : `An operator takes the freeze of ${of} away.`;
    case "pod quota":
      return act.pods === undefined
        ? "A quota of pods is taken away."
        : `A quota allows ${act.pods} pods from now on.`;
    case "node":
      return `Node ${act.node} ${act.alive ? "answers again" : "does not answer from now on"}.`;
    case "pause queue":
      return `An operator ${act.on ? "pauses" : "resumes"} the queue.`;
    case "resume halted":
      return RESUMED;
  }
}
