import type { Mutant } from "./mutant.ts";

const READABLE = "services/restarter/src/decision/readable.test.ts";

/** What is stored can be read again, whatever others have written into it. */
export const READABLE_MUTANTS: readonly Mutant[] = [
  {
    name: "reason-is-not-cut",
    undoes: "an event's reason is cut to what its form takes",
    file: "libs/shared/src/event-envelope.ts",
    find: "reason: cutText(reason, MAX_REASON)",
    becomes: "reason",
    killedBy: {
      file: READABLE,
      title: "a record and its events can be read whatever others write as reason and message",
    },
  },
  {
    name: "message-is-not-cut",
    undoes: "an event's message is cut to what its form takes",
    file: "libs/shared/src/event-envelope.ts",
    find: "message: cutText(message, MAX_MESSAGE)",
    becomes: "message",
    killedBy: {
      file: READABLE,
      title: "a record and its events can be read whatever others write as reason and message",
    },
  },
  {
    name: "condition-is-taken-as-it-is",
    undoes: "a condition's field of another type than it should be is left out",
    file: "libs/kube/src/workloads/conditions.ts",
    find: "return isOfType(value) ? value : undefined;",
    becomes: "return value as T;",
    killedBy: {
      file: READABLE,
      title: "a rollout that its controller fails is read again whatever the conditions are",
    },
  },
  {
    name: "note-in-characters",
    undoes: "a Kubernetes Event's note is cut in bytes, as the API server counts",
    file: "services/restarter/src/events/kube-events.ts",
    find: "cutBytes(event.note, MAX_NOTE_BYTES)",
    becomes: "event.note.slice(0, MAX_NOTE_BYTES)",
    killedBy: {
      file: "services/restarter/src/events/kube-events.test.ts",
      title: "a note is cut to the bytes that the API server takes, and the name stays a name",
    },
  },
  {
    name: "record-room-in-characters",
    undoes: "what the digests of a record take is counted in bytes of JSON",
    file: "services/watcher/src/model/transform.ts",
    find: "Buffer.byteLength(JSON.stringify(name))",
    becomes: "name.length",
    killedBy: {
      file: "services/watcher/src/model/digest.test.ts",
      title: "what a record has room for is counted in bytes of JSON",
    },
  },
  {
    name: "key-names-only-counted",
    undoes: "the names of changed keys are bounded in bytes too",
    file: "services/watcher/src/model/compare.ts",
    find: "named === MAX_KEY_NAMES || bytes + size > MAX_KEY_NAMES_BYTES",
    becomes: "named === MAX_KEY_NAMES",
    killedBy: {
      file: "services/watcher/src/model/compare.test.ts",
      title: "the names of changed keys leave an event room, of any script",
    },
  },
  {
    name: "proto-is-dropped",
    undoes: "a key named __proto__ is read as it was written",
    file: "libs/shared/src/records.ts",
    find: "digests: ByForeignName,",
    becomes: "digests: z.record(z.string(), z.string()),",
    killedBy: {
      file: "services/watcher/src/store/source-store.test.ts",
      title: "what is read back is what was written, whatever the keys are named",
    },
  },
  {
    name: "keys-beside-a-prototype",
    undoes: "keys that others have named are held without a prototype",
    file: "libs/shared/src/records.ts",
    find: "Object.create(null) as TextsByName",
    becomes: "{} as TextsByName",
    killedBy: {
      file: "services/restarter/src/model/content.test.ts",
      title:
        "a key that changes, comes or goes is other content to whoever uses it, whatever its name",
    },
  },
  {
    name: "unreadable-is-written",
    undoes: "a record that could not be read again is not written",
    file: "libs/nats/src/record-form.ts",
    find: `check(key, "Unwritable", JSON.parse(text))`,
    becomes: "value",
    killedBy: {
      file: "libs/nats/test/kv.test.ts",
      title: "what could not be read again is not written",
    },
  },
  {
    name: "record-is-known-by-its-key",
    undoes: "a record that was read before is read anew where its bytes are others",
    file: "libs/nats/src/record-form.ts",
    find: "Buffer.compare(existing.bytes, bytes) === 0",
    becomes: "existing.bytes.length > 0",
    killedBy: {
      file: "libs/nats/src/record-form.test.ts",
      title: "what is remembered of a record counts for the same bytes only",
    },
  },
];
