/**
 * Orders two resourceVersions of one resource type: negative, zero or positive as `a` is older,
 * equal or newer than `b`. They are decimal integers of any size (KEP-5504). Anything else compares
 * as older than every integer.
 */
export function compareVersions(a: string, b: string): number {
  const left = digits(a);
  const right = digits(b);
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

function digits(version: string): string {
  return /^\d+$/.test(version) ? version.replace(/^0+/, "") : "";
}

/** The newer of two resourceVersions; undefined stands for none. */
export function newerVersion(a: string | undefined, b: string): string {
  return a !== undefined && compareVersions(a, b) >= 0 ? a : b;
}

/** Watches lag, and clocks differ, by less than this. */
const APART_MS = 60_000;

type Shown = { readonly version: string; readonly time: number };
/** `older` was shown more than a minute before `newest`. */
type ShownOfType = { newest?: Shown | undefined; older?: Shown | undefined };

/**
 * Whether the versions of two resource types follow one order, as they do where one etcd numbers
 * the writes of both. The API promises it within one type only (KEP-5504), so it counts once it was
 * seen: a write of each type after one of the other, more than a minute apart, with the greater
 * version. One that has a smaller version ends it, until it is seen again.
 */
export type CommonOrder = {
  /** A write of at most a minute before that time (milliseconds since the epoch). */
  shown(type: "sources" | "workloads", version: string, time: number): void;
  isConfirmed(): boolean;
};

/** An order of which nothing was seen yet. */
export function createCommonOrder(): CommonOrder {
  const shown: Readonly<Record<"sources" | "workloads", ShownOfType>> = {
    sources: {},
    workloads: {},
  };
  const agreed = { sources: false, workloads: false };
  return {
    shown(type, version, time) {
      const other = shown[type === "sources" ? "workloads" : "sources"];
      const isBefore = (write: Shown | undefined) =>
        write !== undefined && write.time < time - APART_MS;
      const before = [other.newest, other.older].find(isBefore);
      if (before !== undefined) {
        if (compareVersions(version, before.version) > 0) agreed[type] = true;
        else Object.assign(agreed, { sources: false, workloads: false });
      }
      const own = shown[type];
      if (own.newest !== undefined && !isBefore(own.newest)) return;
      own.older = own.newest;
      own.newest = { version, time };
    },
    isConfirmed: () => agreed.sources && agreed.workloads,
  };
}
