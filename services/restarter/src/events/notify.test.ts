import fc from "fast-check";
import { expect, test } from "vitest";
import { RolloutData } from "@rollcast/shared/events";
import { notifyOf } from "./outcome-publisher.ts";

test.each([
  { written: undefined, want: undefined },
  { written: "", want: undefined },
  { written: " , ,", want: undefined },
  { written: "team-a", want: ["team-a"] },
  { written: " team-a ,team-b,team-a", want: ["team-a", "team-b"] },
  { written: "none", want: ["none"] },
  { written: "Team A", want: ["Team A"] },
  { written: "x".repeat(100), want: ["x".repeat(63)] },
])("$written names $want", ({ written, want }) => {
  const annotations: Record<string, string> =
    written === undefined ? {} : { "rollcast.dev/notify": written };
  expect(notifyOf(annotations).notify).toEqual(want);
});

test("an unknown workload names no receivers", () => {
  expect(notifyOf(undefined)).toEqual({});
});

test("whatever the annotation says, the event is valid", () => {
  const Notify = RolloutData.pick({ notify: true });
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (written) => {
      const notify = notifyOf({ "rollcast.dev/notify": written });
      expect(Notify.parse(JSON.parse(JSON.stringify(notify)))).toEqual(notify);
    }),
  );
});
