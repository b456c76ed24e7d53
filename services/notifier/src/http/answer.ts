/** What a receiver answered: its status, the header `Retry-After`, the beginning of its body. */
export type Answer = {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
};

/**
 * The answer without secrets that a receiver, or a proxy before it, told back: to be judged so, since a message holds only the beginning of an answer, and the half
 * of a secret at its end would not be recognised any more.
 */
export function redactSecrets(answer: Answer, secrets: readonly string[]): Answer {
  let { body } = answer;
  for (const secret of secrets.toSorted((a, b) => b.length - a.length)) {
    if (secret.length > 3) body = body.replaceAll(secret, "***");
  }
  return { ...answer, body };
}
