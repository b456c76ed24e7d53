import { replayOf } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const PLAN = {
  file: "services/restarter/src/queue/plan.ts",
  test: "services/restarter/src/queue/plan.test.ts",
};

const KIND_WATCH = {
  file: "services/restarter/src/index/kind-watch.ts",
  test: "services/restarter/src/index/kind-watch.test.ts",
};

const REDIS = { file: "libs/queue/src/redis.ts", test: "libs/queue/test/gaps.test.ts" };

/** What fails for itself is parked, named and tried again, and stops nothing else. */
export const PARKED_MUTANTS: readonly Mutant[] = [
  {
    name: "optional-kind-is-waited-for",
    undoes: "an optional kind whose API fails keeps nobody waiting",
    file: KIND_WATCH.file,
    find: "const isKnown = settled || isGivenUp();",
    becomes: "const isKnown = settled;",
    killedBy: {
      file: KIND_WATCH.test,
      title:
        "an optional kind whose API fails (its group) is named, and keeps the others waiting for seconds only",
    },
  },
  {
    name: "unavailable-kind-is-not-asked-for",
    undoes: "the workloads of a kind of which nothing is known are asked for, and not gone",
    file: KIND_WATCH.file,
    find: "if (isOptional) options.served(kind);",
    becomes: "",
    killedBy: {
      file: KIND_WATCH.test,
      title:
        "an optional kind whose API fails (its group) is named, and keeps the others waiting for seconds only",
    },
  },
  {
    name: "failing-list-is-waited-for",
    undoes: "an optional kind whose lists fail keeps nobody waiting",
    file: KIND_WATCH.file,
    find: "(isOptional ? (failure ?? watchFault()) : undefined);",
    becomes: "(isOptional ? failure : undefined);",
    killedBy: {
      file: KIND_WATCH.test,
      title:
        "an optional kind whose API fails (its lists as a whole) is named, and keeps the others waiting for seconds only",
    },
  },
  {
    name: "every-kind-is-given-up",
    undoes: "a kind that every cluster serves is waited for",
    file: KIND_WATCH.file,
    find: "(isOptional ? (failure ?? watchFault()) : undefined);",
    becomes: "failure ?? watchFault();",
    killedBy: {
      file: KIND_WATCH.test,
      title: "a kind that every cluster serves is waited for: its API is the API server's own",
    },
  },
  {
    name: "one-user-stops-a-plan",
    undoes: "a workload on which nothing can be decided keeps no other from being planned",
    file: PLAN.file,
    find: "if (!(err instanceof TerminalError || err instanceof KubeError)) throw err;",
    becomes: "if (err instanceof Error) throw err;",
    killedBy: {
      file: PLAN.test,
      title:
        "a workload whose record cannot be read keeps no other from being planned, and is left to the reconciler",
    },
  },
  {
    name: "gap-is-a-workloads-own-trouble",
    undoes: "what all need and do not have brings the event again",
    file: PLAN.file,
    find: "if (!(err instanceof TerminalError || err instanceof KubeError)) throw err;",
    becomes: "",
    killedBy: {
      file: PLAN.test,
      title: "what all need and do not have ends the planning, so that the event comes again",
    },
  },
  {
    name: "unplanned-users-are-not-named",
    undoes: "the users of a source that cannot be read are left to the reconciler",
    file: PLAN.file,
    find: "    for (const workload of users) enqueue(workload);\n",
    becomes: "",
    killedBy: {
      file: PLAN.test,
      title:
        "the users of a source that cannot be read are left to the reconciler, which names them",
    },
  },
  {
    name: "demoted-redis-is-kept",
    undoes: "a Redis that became a read-only replica is left by whoever writes to it",
    file: REDIS.file,
    find: "isDemoted = DEMOTED.test(message);",
    becomes: "isDemoted = message === undefined;",
    killedBy: {
      file: REDIS.test,
      title:
        "Redis becomes a read-only replica while a worker waits for jobs: queue and worker go on where new connections lead",
    },
  },
  {
    name: "demoted-redis-is-healthy",
    undoes: "a Redis that became a read-only replica is noticed by the probe, and left",
    file: REDIS.file,
    find: "if (!isReplica) return undefined;",
    becomes: "if (!isReplica || isReplica) return undefined;",
    killedBy: {
      file: REDIS.test,
      title: "a queue to which nothing is added notices a read-only replica when it is asked",
    },
  },
  {
    name: "failing-namespace-is-asked-without-a-pause",
    undoes: "A kind whose state cannot be known is asked for with a pause.",
    file: "services/restarter/src/index/kind-watch.ts",
    find: `...(settled || failure !== undefined ? []`,
    becomes: `...(settled ? []`,
    killedBy: {
      file: "services/restarter/src/index/kind-watch.test.ts",
      title:
        "a namespace that cannot be asked for is asked for with a pause, though the others are listed",
    },
  },
  {
    name: "later-is-always-as-late",
    undoes: "what asks to come later comes later each time",
    file: "libs/nats/src/handle-message.ts",
    find: "Math.max(initial, backoffDelay({ initial, max }, deliveries))",
    becomes: "initial",
    killedBy: {
      file: "libs/nats/test/consume.test.ts",
      title: "what asks to come later comes later each time",
    },
  },
  {
    name: "unreadable-freeze-is-none",
    undoes: `A freeze that cannot be read holds its scope back.`,
    file: "services/restarter/src/admission/admission.ts",
    find: `if (keys.some((key) => cache.unreadable.has(key))) return {};`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/src/admission/admission.test.ts",
      title: `what cannot be read holds back: a freeze its scope, settings and quota their queue`,
    },
  },
  {
    name: "unreadable-settings-are-none",
    undoes: `A queue whose settings or quota cannot be read waits.`,
    file: "services/restarter/src/admission/admission.ts",
    find: `return isUnknown ? { ...present, paused: {} } : present;`,
    becomes: `return present;`,
    killedBy: {
      file: "services/restarter/src/admission/admission.test.ts",
      title: `what cannot be read holds back: a freeze its scope, settings and quota their queue`,
    },
  },
  {
    name: "unreadable-record-is-removed",
    undoes: `A cache knows what is there and cannot be read.`,
    file: "libs/nats/src/kv.ts",
    find: `if (isUnreadable && onUnreadable !== undefined) onUnreadable(key, revision);`,
    becomes: `if (isUnreadable && onUnreadable === undefined) return;`,
    killedBy: {
      file: "test/cases/parked.test.ts",
      title: `a freeze that cannot be read holds its namespace back, is named, and nothing else waits (case 26, freeze)`,
    },
  },
  {
    name: "unreadable-control-is-not-named",
    undoes: `\`/readyz\` names entries of \`control\` that cannot be read.`,
    file: "services/restarter/src/health.ts",
    find: `if (unreadable.size === 0) return [];`,
    becomes: `if (unreadable.size >= 0) return [];`,
    killedBy: {
      file: "services/restarter/src/health.test.ts",
      title: `every part of a restarter has its sign`,
    },
  },
  {
    name: "unreadable-record-stops-quota-repair",
    undoes: `A record that cannot be read keeps no quota for ever, and none of others.`,
    file: "services/restarter/src/operations/quota-repair.ts",
    find: `if (err instanceof TerminalError) return "unreadable";`,
    becomes: ``,
    killedBy: {
      file: "test/cases/parked.test.ts",
      title: `a workload whose record cannot be read gives its quota back, and the next one is rolled (case 26, quota)`,
    },
  },
  {
    name: "unreadable-record-fails-impact",
    undoes: `An impact is told of the workloads that can be read.`,
    file: "services/restarter/src/api/impact-route.ts",
    find: `if (!(err instanceof TerminalError || err instanceof KubeError)) throw err;
        return unknown`,
    becomes: `if (err instanceof Error) throw err;
        return unknown`,
    killedBy: {
      file: "test/api.test.ts",
      title: `a record that cannot be read is named, and the others are answered for`,
    },
  },
  {
    name: "unreadable-record-is-internal",
    undoes: `The API names a record that cannot be read.`,
    file: "libs/http-api/src/server.ts",
    find: `if (err instanceof TerminalError) return new ProblemError(500, "unreadable", err.message);`,
    becomes: ``,
    killedBy: {
      file: "libs/http-api/src/server.test.ts",
      title: `a record that cannot be read is named, and no fault of the service`,
    },
  },
  {
    name: "csi-api-is-waited-for",
    undoes: `The watcher is ready though the own API of an optional kind fails.`,
    file: "services/watcher/src/model/named-reflector.ts",
    find: `const fault = optional === true ? reflector.fault() : undefined;`,
    becomes: `const fault = optional === undefined ? reflector.fault() : undefined;`,
    killedBy: {
      file: "services/watcher/src/health.test.ts",
      title: `where the own API of an optional kind fails, the watcher is ready and says so`,
    },
  },
  {
    name: "broken-driver-stops-a-namespace",
    undoes: "A namespace comes into scope though the resources of the CSI driver cannot be listed.",
    file: "services/watcher/src/csi/csi.ts",
    find: `        if (!(err instanceof KubeError)) throw err;
        // The`,
    becomes: `        if (err instanceof KubeError) throw err;
        // The`,
    killedBy: {
      file: "services/watcher/test/csi.test.ts",
      title: "a namespace comes into scope though its classes cannot be listed, which are later",
    },
  },
  {
    name: "quota-taken-anew-is-released",
    undoes: "who looked at quota before it was released and taken anew does not release it again",
    file: "services/restarter/src/operations/quota-repair.ts",
    find: "existing?.rollout === quotaUse.rollout && existing.since === quotaUse.since;",
    becomes: "existing?.rollout === quotaUse.rollout;",
    killedBy: replayOf("quota-taken-anew"),
  },
  {
    name: "unreadable-group-silences-its-receiver",
    undoes: "what comes after a group of messages that cannot be read is delivered",
    file: "services/notifier/src/group/event-consumer.ts",
    find: `await joinBatch(ctx, stableId(id, "unreadable"), membership, waiters);`,
    becomes: "throw err;",
    killedBy: {
      file: "services/notifier/test/upgrade.test.ts",
      title:
        "a group that a newer version wrote is kept, and what comes after is sent all the same",
    },
  },
  {
    name: "unreadable-alert-is-told-as-sent",
    undoes: "an alert whose record cannot be read is sent",
    file: "services/notifier/src/alert/alert-store.ts",
    find: "return foldAll(options, undefined, events);",
    becomes: "return undefined;",
    killedBy: {
      file: "services/notifier/test/upgrade.test.ts",
      title:
        "an alert that a newer version wrote is kept, and fires as those of other workloads do",
    },
  },
];
