import { expect, test } from "vitest";
import { annotationReader } from "./annotations.ts";

const AUTO = "reloader.stakater.com/auto";

test.each([
  {
    name: "Reloader's name is read as ours",
    given: { [AUTO]: "x" },
    want: { "rollcast.dev/auto": "x" },
  },
  {
    name: "ours is asked first, in whichever order they stand",
    given: { [AUTO]: "x", "rollcast.dev/auto": "y" },
    want: { "rollcast.dev/auto": "y" },
  },
  {
    name: "a renamed one counts under its new name alone",
    renames: { auto: "example.com/auto" },
    given: { [AUTO]: "x", "example.com/auto": "z" },
    want: { "rollcast.dev/auto": "z" },
  },
  {
    name: "everything of ours is kept, nothing of anybody else's",
    given: {
      "rollcast.dev/queue": "q",
      "configmap.rollcast.dev/reload": "a",
      "notrollcast.dev/auto": "n",
      "kubectl.kubernetes.io/restartedAt": "now",
    },
    want: { "rollcast.dev/queue": "q", "configmap.rollcast.dev/reload": "a" },
  },
  { name: "what is no text is left out", given: { [AUTO]: 1 }, want: {} },
  { name: "no annotations", given: undefined, want: {} },
])("$name", ({ renames, given, want }) => {
  expect(annotationReader(renames ?? {})(given)).toEqual(want);
});
