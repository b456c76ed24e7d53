import fc from "fast-check";
import { expect, test } from "vitest";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import type { RolloutEvent } from "@rollcast/shared/events";
import {
  MAX_GROUP_BYTES,
  MAX_GROUP_EVENTS,
  groupId,
  join,
  notificationOf,
  seal,
  unseal,
} from "./group.ts";
import type { Membership } from "../route/router.ts";
import type { GroupRecord } from "../model/group-record.ts";

const NOW = 1_000_000;
const MEMBERSHIP: Membership = {
  receiver: "hook",
  route: "",
  labels: { namespace: "shop", outcome: "failed" },
  groupWaitMs: 10_000,
  groupIntervalMs: 60_000,
};

function event(id: string, message = ""): RolloutEvent {
  const parts = { id, cluster: "test", service: "restarter", time: NOW };
  const workload = { kind: "Deployment", namespace: "shop", name: "web", uid: "u" };
  return rolloutEvent(parts, "failed", { workload, message });
}

function idsOf(record: GroupRecord | undefined): string[] {
  return (record?.events ?? []).map(({ id }) => id);
}

function send(record: GroupRecord, now: number): { ids: string[]; after: GroupRecord; id: string } {
  const sealed = seal(record);
  const notification = notificationOf(sealed, now);
  const ids = (notification?.events ?? []).map(({ id }) => id);
  return { ids, after: unseal(sealed, now), id: notification?.id ?? "" };
}

test("the first event of a group sets when it is due; later ones do not delay it", () => {
  const first = join(undefined, MEMBERSHIP, [event("a")], NOW).record;
  expect(first.dueAt).toBe(NOW + 10_000);
  const second = join(first, MEMBERSHIP, [event("b")], NOW + 9_000).record;
  expect(second.dueAt).toBe(NOW + 10_000);
  expect(idsOf(second)).toEqual(["a", "b"]);
});

test("a redelivered event joins once, even after it was sent", () => {
  const record = join(undefined, MEMBERSHIP, [event("a"), event("a")], NOW).record;
  expect(idsOf(record)).toEqual(["a"]);
  expect(join(record, MEMBERSHIP, [event("a")], NOW)).toMatchObject({
    changed: false,
    accepted: 1,
  });
  const { after } = send(record, NOW);
  expect(join(after, MEMBERSHIP, [event("a")], NOW)).toMatchObject({ changed: false, accepted: 1 });
});

test("after a message the group waits for the interval before the next one", () => {
  const record = join(undefined, MEMBERSHIP, [event("a")], NOW).record;
  const { after } = send(record, NOW + 10_000);
  expect(after.dueAt).toBeUndefined();
  const soon = join(after, MEMBERSHIP, [event("b")], NOW + 20_000).record;
  expect(soon.dueAt).toBe(NOW + 70_000);
  const late = join(after, MEMBERSHIP, [event("b")], NOW + 100_000).record;
  expect(late.dueAt).toBe(NOW + 110_000);
});

test("events that join a sealed group are part of the next message", () => {
  const sealed = seal(join(undefined, MEMBERSHIP, [event("a")], NOW).record);
  const joined = join(sealed, MEMBERSHIP, [event("b")], NOW).record;
  expect(notificationOf(joined, NOW)).toEqual(notificationOf(sealed, NOW));
  const after = unseal(joined, NOW);
  expect(idsOf(after)).toEqual(["b"]);
  expect(after.dueAt).toBe(NOW + 60_000);
});

test("sealing twice changes nothing, so that a retry makes the same message", () => {
  const sealed = seal(join(undefined, MEMBERSHIP, [event("a")], NOW).record);
  expect(seal(join(sealed, MEMBERSHIP, [event("b")], NOW).record).sealed).toEqual(sealed.sealed);
});

test("a full group accepts no more events and returns how many it accepted", () => {
  const big = Array.from({ length: 1_000 }, (_, i) => event(`e${i}`, "x".repeat(1_024)));
  const { record, accepted } = join(undefined, MEMBERSHIP, big, NOW);
  expect(accepted).toBe(record.events.length);
  expect(Buffer.byteLength(JSON.stringify(record))).toBeLessThan(MAX_GROUP_BYTES + 10_000);
  const small = Array.from({ length: MAX_GROUP_EVENTS + 1 }, (_, i) => event(`e${i}`));
  expect(join(undefined, MEMBERSHIP, small, NOW).accepted).toBe(MAX_GROUP_EVENTS);
});

test("receiver, route and labels identify a group, in any order of labels", () => {
  const id = groupId(MEMBERSHIP);
  const labels = { outcome: "failed", namespace: "shop" };
  expect(groupId({ ...MEMBERSHIP, labels })).toBe(id);
  expect(groupId({ ...MEMBERSHIP, receiver: "other" })).not.toBe(id);
  expect(groupId({ ...MEMBERSHIP, route: "0" })).not.toBe(id);
  expect(groupId({ ...MEMBERSHIP, labels: { ...labels, outcome: "stalled" } })).not.toBe(id);
});

test("in any order of joins, redeliveries and messages, each event is sent exactly once", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("join" as const), ids: fc.array(fc.nat({ max: 30 })) }),
    fc.record({ do: fc.constant("send" as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let record: GroupRecord | undefined;
      const given = new Set<string>();
      const out: string[] = [];
      const messages: string[] = [];
      const sendGroup = () => {
        if (record === undefined || record.events.length === 0) return;
        const { ids, after, id } = send(record, NOW);
        out.push(...ids);
        messages.push(id);
        record = after;
      };
      for (const step of steps) {
        if (step.do === "send") sendGroup();
        else {
          const ids = step.ids.map((id) => `e${id}`);
          for (const id of ids) given.add(id);
          record = join(
            record,
            MEMBERSHIP,
            ids.map((id) => event(id)),
            NOW,
          ).record;
        }
      }
      sendGroup();
      expect(out.toSorted()).toEqual([...given].toSorted());
      expect(new Set(messages).size).toBe(messages.length);
    }),
  );
});
