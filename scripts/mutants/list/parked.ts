import type { Mutant } from "./mutant.ts";

const PLAN = {
  file: "services/restarter/src/queue/plan.ts",
  test: "services/restarter/src/queue/plan.test.ts",
};

/** What fails for itself is parked, named and tried again, and stops nothing else. */
export const PARKED_MUTANTS: readonly Mutant[] = [
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
];
