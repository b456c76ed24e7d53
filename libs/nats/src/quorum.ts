import type { StreamInfo } from "@nats-io/jetstream";

/**
 * A leader hears of each copy once a second; it gives up leading after ten to twenty without most
 * of them.
 */
const UNHEARD_NS = 5_000_000_000;

type Peer = NonNullable<NonNullable<StreamInfo["cluster"]>["replicas"]>[number];

/** What of a stream's information is looked at. */
export type Replication = {
  readonly config: { readonly name: string; readonly num_replicas: number };
  readonly cluster?: {
    readonly leader?: string;
    readonly replicas?: readonly Pick<Peer, "active" | "current" | "offline">[];
  };
};

// A server that has never heard of a copy, as after an election in vain, says that it was seen 0 ns
// ago.
function isHeard({ active, current, offline }: Pick<Peer, "active" | "current" | "offline">) {
  return offline !== true && active < UNHEARD_NS && (active > 0 || current);
}

/**
 * Why nothing can be stored in a stream that gives this information, or undefined. A server that
 * has lost the others of its cluster goes on giving it: as the leader at first, and then without
 * one.
 */
export function quorumFault({ config, cluster }: Replication): string | undefined {
  const { name, num_replicas: copies } = config;
  if (cluster === undefined) return undefined;
  if (cluster.leader === undefined || cluster.leader === "") return `stream ${name}: no leader`;
  const heard = 1 + (cluster.replicas ?? []).filter(isHeard).length;
  if (heard * 2 > copies) return undefined;
  return `stream ${name}: its leader hears of ${heard - 1} of ${copies - 1} other copies`;
}
