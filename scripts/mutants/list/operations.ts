import type { Mutant } from "./mutant.ts";

const OUTBOX = "services/restarter/src/model/control-outbox.ts";
const OUTBOX_TEST = "services/restarter/src/model/control-outbox.test.ts";
const RECORDER = "services/restarter/src/admission/end-recorder.ts";
const RECORDER_TEST = "services/restarter/src/admission/end-recorder.test.ts";
const EVENTS_TEST = "services/restarter/test/operation-events.test.ts";

/** An operation and its event are one write. */
export const OPERATION_MUTANTS: readonly Mutant[] = [
  {
    name: "event-has-another-id-each-time",
    undoes: "Whoever publishes the event of an operation does so under the id of its write.",
    file: "services/restarter/src/operations/operation-outbox.ts",
    find: `const parts = { id: event.id,`,
    becomes: `const parts = { id: event.id + String(Math.random()),`,
    killedBy: {
      file: EVENTS_TEST,
      title:
        "what a replica wrote and could not publish before it was killed is published by another: each event once, in the order of the writes",
    },
  },
  {
    name: "next-write-drops-events",
    undoes: "A write of an entry keeps the events that wait there.",
    file: OUTBOX,
    find: `const outbox = [...(before?.outbox ?? []), { ...operation, id, time: now }];`,
    becomes: `const outbox = [{ ...operation, id, time: now }];`,
    killedBy: {
      file: OUTBOX_TEST,
      title:
        "however writes, publishing replicas and kills interleave, each event is stored once and in the order of the writes",
    },
  },
  {
    name: "publishing-drops-newer-events",
    undoes: "Only the events that were published are taken out of an entry.",
    file: OUTBOX,
    find: `const left = outbox?.filter(({ id }) => !ids.has(id));`,
    becomes: `const left = outbox?.filter(() => false);`,
    killedBy: {
      file: OUTBOX_TEST,
      title:
        "however writes, publishing replicas and kills interleave, each event is stored once and in the order of the writes",
    },
  },
  {
    name: "removed-entry-stays",
    undoes: "A removed entry goes with the last of its events.",
    file: OUTBOX,
    find: `return entry.type === "settings" && isEmpty(entry) ? null : (rest as ControlEntry);`,
    becomes: `return rest as ControlEntry;`,
    killedBy: {
      file: OUTBOX_TEST,
      title:
        "a removed entry is neither a freeze nor a setting, and goes with the last of its events",
    },
  },
  {
    name: "full-outbox-keeps-the-oldest",
    undoes: "An outbox that is full keeps its newest events.",
    file: OUTBOX,
    find: `outbox: outbox.slice(-MAX_OUTBOX)`,
    becomes: `outbox: outbox.slice(0, MAX_OUTBOX)`,
    killedBy: {
      file: OUTBOX_TEST,
      title: "an outbox keeps its newest events, whatever is done meanwhile",
    },
  },
  {
    name: "halt-is-told-each-time",
    undoes: "A halt is published once until it goes on.",
    file: RECORDER,
    find: `if (isPublished || !isHalted(state, ids)) return state;`,
    becomes: `if (!isHalted(state, ids)) return state;`,
    killedBy: {
      file: RECORDER_TEST,
      title: "a halt is published once, when so many have failed",
    },
  },
  {
    name: "second-halt-is-not-told",
    undoes: "A change that was resumed and fails again is halted, and told, once more.",
    file: RECORDER,
    find: `const lasting = (before.halted ?? []).filter((set) => isHalted(before, set));`,
    becomes: `const lasting = before.halted ?? [];`,
    killedBy: {
      file: RECORDER_TEST,
      title: "a halt is published again when it was resumed and they fail again",
    },
  },
  {
    name: "killed-writer-loses-its-event",
    undoes: "Events that their writer has left are published by another replica.",
    file: "services/restarter/src/operations/operation-outbox.ts",
    find: `if (entry.at <= Date.now()) flush(key);`,
    becomes: ``,
    killedBy: {
      file: EVENTS_TEST,
      title:
        "what a replica wrote and could not publish before it was killed is published by another: each event once, in the order of the writes",
    },
  },
  {
    name: "unconfirmed-write-is-a-fault",
    undoes: "An operation whose write NATS does not confirm is answered so: `NotConfirmed`.",
    file: "services/restarter/src/operations/updater.ts",
    find: `throw new OperationError("NotConfirmed", message, { cause: err });`,
    becomes: `throw new Error(message, { cause: err });`,
    killedBy: {
      file: EVENTS_TEST,
      title:
        "a halt is published once where the replica that wrote it was killed, and a write that fails is a clear error",
    },
  },
  {
    name: "request-is-left",
    undoes: "A request whose replica was killed before it made a job of it gets one by another.",
    file: "services/restarter/src/reconcile/progress-watch.ts",
    find: `return isRequestLeft(record, now) || hasProgressed(ctx, record, now);`,
    becomes: `return hasProgressed(ctx, record, now);`,
    killedBy: {
      file: "services/restarter/src/reconcile/progress-watch.test.ts",
      title: "a request of which its replica made no job gets one by another",
    },
  },
  {
    name: "plans-overtake-rollouts",
    undoes: "A rollout gets its turn while its source never stops changing.",
    file: "services/restarter/src/create-context.ts",
    find: `workloadLock: createKeyedLock(LOCK_HOLD_MS),`,
    becomes: `workloadLock: createKeyedLock(0),`,
    killedBy: {
      file: "services/restarter/test/storm.test.ts",
      title:
        "a storm of 10 changes a second is at most one rollout a second, and they go on while it lasts; the last content is applied without a resync",
    },
  },
];
