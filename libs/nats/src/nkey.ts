import { nkeys } from "@nats-io/transport-node";

/**
 * An nkey user: the client keeps the seed, the server needs the public key only
 * (https://docs.nats.io/using-nats/developer/connecting/nkey).
 */
export type Nkey = { readonly seed: string; readonly publicKey: string };

/** The public half of a user's seed. Throws where the text is no seed. */
export function publicKeyOf(seed: string): string {
  return nkeys.fromSeed(new TextEncoder().encode(seed)).getPublicKey();
}

export function createNkey(): Nkey {
  const pair = nkeys.createUser();
  return { seed: new TextDecoder().decode(pair.getSeed()), publicKey: pair.getPublicKey() };
}
