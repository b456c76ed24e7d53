import { expect, test } from "vitest";
import fc from "fast-check";
import { compareVersions, createCommonOrder, newerVersion } from "./resource-version.ts";

test("versions are ordered as integers of any size", () => {
  const integer = fc.bigInt({ min: 0n, max: 2n ** 200n });
  fc.assert(
    fc.property(integer, integer, (a, b) => {
      const want = a < b ? -1 : a > b ? 1 : 0;
      expect(Math.sign(compareVersions(String(a), String(b)))).toBe(want);
    }),
  );
});

test.each(["", "abc", "-1", "1.5", "0x10"])("%j is older than every version", (text) => {
  expect(compareVersions(text, "1")).toBeLessThan(0);
});

test("leading zeros do not count", () => {
  expect(compareVersions("007", "7")).toBe(0);
});

test("the newer version is kept, and any is newer than none", () => {
  expect(newerVersion(undefined, "5")).toBe("5");
  expect(newerVersion("10", "9")).toBe("10");
  expect(newerVersion("9", "10")).toBe("10");
});

const MINUTE = 60_000;
type Write = readonly ["sources" | "workloads", version: number, minute: number];

/** Whether one order is confirmed after these writes, in the order in which they were shown. */
function isConfirmed(writes: readonly Write[]): boolean {
  const order = createCommonOrder();
  for (const [side, version, minute] of writes) {
    const kind = side === "sources" ? "ConfigMap" : "Deployment";
    order.shown(side, kind, { version: String(version), time: minute * MINUTE });
  }
  return order.isConfirmed("ConfigMap", "Deployment");
}

test.each<{ name: string; writes: readonly Write[]; expected: boolean }>([
  { name: "nothing", writes: [], expected: false },
  {
    name: "one after the other, both ways",
    writes: [
      ["workloads", 10, 0],
      ["sources", 20, 2],
      ["workloads", 30, 4],
    ],
    expected: true,
  },
  {
    name: "the newest source of before a list, and the first one after it",
    writes: [
      ["sources", 5, -1_000],
      ["workloads", 10, 0],
      ["sources", 11, 1.1],
    ],
    expected: true,
  },
  {
    name: "one way only",
    writes: [
      ["workloads", 10, 0],
      ["sources", 20, 2],
      ["sources", 30, 4],
    ],
    expected: false,
  },
  {
    name: "less than a minute apart",
    writes: [
      ["workloads", 10, 0],
      ["sources", 20, 0.9],
      ["workloads", 30, 1.8],
    ],
    expected: false,
  },
  {
    name: "many writes of one, and one of the other between them",
    writes: [
      ...Array.from({ length: 100 }, (_, i): Write => ["workloads", 10 + i, i / 10]),
      ["sources", 200, 10],
      ["workloads", 201, 12],
    ],
    expected: true,
  },
  {
    name: "numbers of their own, the one smaller",
    writes: [
      ["workloads", 1_000, 0],
      ["sources", 5, 2],
      ["workloads", 1_001, 4],
      ["sources", 6, 6],
      ["workloads", 1_002, 8],
    ],
    expected: false,
  },
  {
    name: "numbers of their own, after they seemed to be one",
    writes: [
      ["workloads", 10, 0],
      ["sources", 20, 2],
      ["workloads", 30, 4],
      ["sources", 21, 6],
      ["workloads", 31, 8],
    ],
    expected: false,
  },
  {
    name: "an event that comes late is compared with what was shown before it",
    writes: [
      ["workloads", 10, 0],
      ["workloads", 30, 5],
      ["sources", 20, 2],
      ["workloads", 40, 8],
    ],
    expected: true,
  },
])("one order of two types is seen: $name: $expected", ({ writes, expected }) => {
  expect(isConfirmed(writes)).toBe(expected);
});

test("types with numbers of their own are not taken for one order", () => {
  const steps = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 12, maxLength: 12 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1_000, max: 100_000 }), (by, apart) => {
      let [source, workload] = [0, apart];
      const writes = by.map((step, i): Write => {
        if (i % 2 === 0) return ["sources", (source += step), i * 2];
        return ["workloads", (workload += step), i * 2];
      });
      expect(isConfirmed(writes)).toBe(false);
      const swapped = writes.map(([type, version, at]): Write => {
        return [type === "sources" ? "workloads" : "sources", version, at];
      });
      expect(isConfirmed(swapped)).toBe(false);
    }),
  );
});

test("what was seen of two types says nothing of a third", () => {
  const order = createCommonOrder();
  const at = (version: number, minute: number) => ({
    version: String(version),
    time: minute * MINUTE,
  });
  // An etcd of its own for Secrets, as with `--etcd-servers-overrides`.
  order.shown("sources", "Secret", at(4, -9));
  order.shown("sources", "ConfigMap", at(5, -9));
  order.shown("workloads", "Deployment", at(300, 0));
  order.shown("workloads", "StatefulSet", at(300, 0));
  order.shown("sources", "ConfigMap", at(310, 2));
  expect(order.isConfirmed("ConfigMap", "Deployment")).toBe(true);
  expect(order.isConfirmed("ConfigMap", "StatefulSet")).toBe(true);
  expect(order.isConfirmed("Secret", "Deployment")).toBe(false);
  order.shown("sources", "Secret", at(5, 3));
  order.shown("workloads", "Deployment", at(320, 5));
  order.shown("sources", "ConfigMap", at(330, 7));
  expect(order.isConfirmed("Secret", "Deployment")).toBe(false);
  expect(order.isConfirmed("ConfigMap", "Deployment")).toBe(true);
});
