/** The response of a receiver: status, `Retry-After` header and the beginning of the body. */
export type Answer = {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
};

/**
 * Removes secrets that a receiver or proxy echoed in its response. Must run before the response is
 * classified: the message quotes only the beginning of the body, where a secret that was cut in
 * half would no longer be recognised.
 */
export function redactSecrets(answer: Answer, secrets: readonly string[]): Answer {
  let { body } = answer;
  for (const secret of secrets.toSorted((a, b) => b.length - a.length)) {
    if (secret.length > 3) body = body.replaceAll(secret, "***");
  }
  return { ...answer, body };
}
