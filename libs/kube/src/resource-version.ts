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
type ShownOfKind = { newest?: Shown | undefined; older?: Shown | undefined };
type Side = "sources" | "workloads";

/**
 * Whether the versions of two resource types follow one order, as they do where one etcd numbers
 * the writes of both. The API promises it within one type only (KEP-5504), so it counts once it was
 * seen of these two: a write of each after one of the other, more than a minute apart, with the
 * greater version. One that has a smaller version ends it, until it is seen again.
 */
export type CommonOrder = {
  /** A write of at most a minute before that time (milliseconds since the epoch). */
  shown(side: Side, kind: string, write: Shown): void;
  /** Whether that was seen of a kind of source and a kind of workload. */
  isConfirmed(source: string, workload: string): boolean;
};

/** An order of which nothing was seen yet. */
export function createCommonOrder(): CommonOrder {
  const shown = {
    sources: new Map<string, ShownOfKind>(),
    workloads: new Map<string, ShownOfKind>(),
  };
  /** Per pair of kinds, of which side a write was seen to come after one of the other. */
  const agreed = new Map<string, Set<Side>>();
  const pairOf = (side: Side, kind: string, other: string) =>
    side === "sources" ? `${kind}/${other}` : `${other}/${kind}`;
  return {
    shown(side, kind, write) {
      const isBefore = (earlier: Shown | undefined) =>
        earlier !== undefined && earlier.time < write.time - APART_MS;
      for (const [other, of] of shown[side === "sources" ? "workloads" : "sources"]) {
        const before = [of.newest, of.older].find(isBefore);
        if (before === undefined) continue;
        const pair = pairOf(side, kind, other);
        const isGreater = compareVersions(write.version, before.version) > 0;
        agreed.set(pair, isGreater ? (agreed.get(pair) ?? new Set()).add(side) : new Set());
      }
      const own = shown[side].get(kind) ?? {};
      shown[side].set(kind, own);
      if (own.newest !== undefined && !isBefore(own.newest)) return;
      own.older = own.newest;
      own.newest = write;
    },
    isConfirmed: (source, workload) => agreed.get(`${source}/${workload}`)?.size === 2,
  };
}
