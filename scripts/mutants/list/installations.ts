import type { Mutant } from "./mutant.ts";

const CONTENT = "services/restarter/src/model/content.ts";
const ROLLOUT = "services/restarter/src/decision/rollout.ts";
const OTHERS = "services/restarter/src/events/other-installations.ts";
const OTHERS_TEST = "services/restarter/src/events/other-installations.test.ts";
const DECISION_TEST = "services/restarter/src/decision/other-installation.test.ts";
const INSTALLATION = "libs/nats/src/installation.ts";
const INSTALLATION_TEST = "libs/nats/src/installation.test.ts";

/** Other installations on the same workloads. */
export const INSTALLATION_MUTANTS: readonly Mutant[] = [
  {
    name: "earlier-key-is-anothers",
    undoes: "A marker under an earlier key of this installation is its own.",
    file: CONTENT,
    find: `id !== keyId && !earlierKeyIds.includes(id)`,
    becomes: `id !== keyId`,
    killedBy: {
      file: "services/restarter/src/model/marker-keys.test.ts",
      title: "a marker whose key is an earlier one of ours",
    },
  },
  {
    name: "key-before-is-forgotten",
    undoes: "The key before the present one stays recorded as an earlier one.",
    file: INSTALLATION,
    find: `    record.keyId ?? keyId,\n`,
    becomes: ``,
    killedBy: {
      file: INSTALLATION_TEST,
      title: "the present key in a record that was one with another key",
    },
  },
  {
    name: "adopted-keys-are-cut",
    undoes: "`installationKey.earlierIds` stand first, so that none is lost where the list is cut.",
    file: INSTALLATION,
    find: `[...earlier].slice(0, MAX_EARLIER)`,
    becomes: `[...earlier].slice(-MAX_EARLIER)`,
    killedBy: {
      file: INSTALLATION_TEST,
      title: "adopted keys stay where the list is cut, and are written once",
    },
  },
  {
    name: "other-installation-is-newer-content",
    undoes: "A rollout that another installation's ended says so, with both keys.",
    file: ROLLOUT,
    find: `const keys = keysApart(rollout.marker, marker);`,
    becomes: `const keys = keysApart(rollout.marker, undefined);`,
    killedBy: {
      file: DECISION_TEST,
      title: "another installation's rollout ends ours, names both, and leaves nothing to roll",
    },
  },
  {
    name: "our-next-rollout-is-anothers",
    undoes: "A later rollout of our own is no other installation's.",
    file: CONTENT,
    find: `return otherIds.some((each) => ids.includes(each)) ? undefined : { mine: id, other: otherId };`,
    becomes: `return { mine: id, other: otherId };`,
    killedBy: {
      file: DECISION_TEST,
      title: "a later rollout of our own that the record does not have is no other installation's",
    },
  },
  {
    name: "same-content-under-anothers-marker",
    undoes: "Under another installation's marker ours is written with `again`.",
    file: ROLLOUT,
    find: `keysApart(plain, workload.marker) !== undefined;`,
    becomes: `false;`,
    killedBy: {
      file: DECISION_TEST,
      title: "a request in the middle of both rollouts leaves no pod of ours as it is",
    },
  },
  {
    name: "reinstalled-rolls-everything",
    undoes: "After an installation with a new key what runs is adopted, and nothing is rolled.",
    file: CONTENT,
    find: `return left === undefined || right === undefined || left === right;`,
    becomes: `return true;`,
    killedBy: {
      file: DECISION_TEST,
      title:
        "without a record, as after an installation with a new key, the present content is adopted",
    },
  },
  {
    name: "other-installation-is-told-each-time",
    undoes: "Another installation on a workload is reported once.",
    file: OTHERS,
    find: `if (isReported) return;`,
    becomes: ``,
    killedBy: {
      file: OTHERS_TEST,
      title:
        "a marker of another installation that comes while we look is reported once, on the workload too",
    },
  },
  {
    name: "old-marker-is-told-as-alive",
    undoes:
      "A marker that was there at the start may be left by an installation that is gone: no Event.",
    file: OTHERS,
    find: `const keyId = isWritten ? otherKeyId(ids, own) : undefined;`,
    becomes: `const keyId = otherKeyId(ids, own);`,
    killedBy: {
      file: OTHERS_TEST,
      title:
        "markers that are there at the start are one line for each key, which says how to adopt it",
    },
  },
  {
    name: "copied-marker-is-anothers",
    undoes:
      "Only a marker that Rollcast wrote itself, by managedFields, is another installation's.",
    file: OTHERS,
    find: `const isRead = workload.mayRoll && workload.ownsMarker === true;`,
    becomes: `const isRead = workload.mayRoll;`,
    killedBy: {
      file: OTHERS_TEST,
      title: "a marker that is what somebody copied from elsewhere is not of another installation",
    },
  },
  {
    name: "our-rollout-hides-the-other",
    undoes: "After a rollout of our own the workload counts as rolled by both for a day.",
    file: OTHERS,
    find: `if (keyId !== undefined || sighting === undefined) return keyId;`,
    becomes: `if (keyId !== undefined || sighting === undefined || keyId === undefined) return keyId;`,
    killedBy: {
      file: OTHERS_TEST,
      title: "after our own rollout the workload counts for a day, and no longer than it exists",
    },
  },
];
