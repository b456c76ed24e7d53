/** What one try to deliver came to. `reason` is a machine word, bounded in kind; `message` is for people and holds no secret. */
export type SendResult =
  | { readonly kind: "sent" }
  /** The receiver asks for a pause; no attempt is used. */
  | { readonly kind: "later"; readonly delayMs: number; readonly reason: string }
  /** Another try may mend it. */
  | { readonly kind: "failed"; readonly reason: string; readonly message: string }
  /** No other try can mend it: dead letters. */
  | { readonly kind: "refused"; readonly reason: string; readonly message: string };
