/**
 * The result of one attempt to send. `reason` comes from a bounded set of machine-readable words;
 * `message` is for people and holds no secret.
 */
export type SendResult =
  | { readonly kind: "sent" }
  /** The receiver asks for a pause; this does not count as an attempt. */
  | { readonly kind: "later"; readonly delayMs: number; readonly reason: string }
  /** Another attempt may succeed. */
  | { readonly kind: "failed"; readonly reason: string; readonly message: string }
  /** No further attempt can succeed: the notification becomes a dead letter. */
  | { readonly kind: "refused"; readonly reason: string; readonly message: string };
