import { JetStreamApiCodes, JetStreamApiError } from "@nats-io/jetstream";
import {
  AuthorizationError,
  NoRespondersError,
  PermissionViolationError,
  TimeoutError,
} from "@nats-io/transport-node";

/**
 * Why NATS did not do something:
 *
 *     permission    this user may not publish or subscribe there
 *     credentials   the server does not know this user
 *     missing       there is no such stream
 *     unanswered    nobody answers: no JetStream for this user, or no leader
 */
export type NatsErrorKind = "permission" | "credentials" | "missing" | "unanswered";

function* causesOf(err: unknown): Generator<Error> {
  for (let cause = err; cause instanceof Error; cause = cause.cause) yield cause;
}

/** The permission that is lacking; undefined where `err` is another error. */
export function violationOf(err: unknown): PermissionViolationError | undefined {
  return [...causesOf(err)].find((cause) => cause instanceof PermissionViolationError);
}

function kindOf(err: Error): NatsErrorKind | undefined {
  if (err instanceof PermissionViolationError) return "permission";
  if (err instanceof AuthorizationError) return "credentials";
  if (err instanceof TimeoutError || err instanceof NoRespondersError) return "unanswered";
  if (!(err instanceof JetStreamApiError)) return undefined;
  if (err.code === JetStreamApiCodes.StreamNotFound) return "missing";
  return err.code === JetStreamApiCodes.JetStreamNotEnabledForAccount ? "unanswered" : undefined;
}

/** What kind of error of NATS `err`, or what caused it, is; undefined where it is none of them. */
export function natsErrorKind(err: unknown): NatsErrorKind | undefined {
  for (const cause of causesOf(err)) {
    const kind = kindOf(cause);
    if (kind !== undefined) return kind;
  }
  return undefined;
}
