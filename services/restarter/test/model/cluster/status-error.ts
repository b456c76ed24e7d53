/** The part of a v1 Status that clients read. */
export type StatusBody = {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly metadata: Record<string, never>;
  readonly status: "Failure";
  readonly message: string;
  readonly reason: string;
  readonly details?: { readonly [field: string]: unknown };
  readonly code: number;
};

/** An answer of the API server that is no success. */
export class StatusError extends Error {
  override name = "StatusError";
  readonly code: number;
  readonly reason: string;
  readonly body: StatusBody;

  constructor(
    code: number,
    reason: string,
    message: string,
    details?: { readonly [field: string]: unknown },
  ) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.body = {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message,
      reason,
      ...(details === undefined ? {} : { details }),
      code,
    };
  }
}

type Named = { readonly resource: string; readonly group: string; readonly name: string };

const qualified = ({ resource, group }: Named) =>
  group === "" ? resource : `${resource}.${group}`;

const details = ({ name, group, resource }: Named) => ({ name, group, kind: resource });

export function notFound(named: Named): StatusError {
  const message = `${qualified(named)} "${named.name}" not found`;
  return new StatusError(404, "NotFound", message, details(named));
}

export function alreadyExists(named: Named): StatusError {
  const message = `${qualified(named)} "${named.name}" already exists`;
  return new StatusError(409, "AlreadyExists", message, details(named));
}

export function conflict(named: Named, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${qualified(named)} "${named.name}": ${why}`;
  return new StatusError(409, "Conflict", message, details(named));
}

export const MODIFIED =
  "the object has been modified; please apply your changes to the latest version and try again";

export function invalid(kind: string, name: string, why: string): StatusError {
  return new StatusError(422, "Invalid", `${kind} "${name}" is invalid: ${why}`);
}

/** A JSON patch that does not apply, or whose `test` fails: the server does not say which. */
export function patchFailed(): StatusError {
  const message = "the server rejected our request due to an error in our request";
  return new StatusError(422, "Invalid", message, {});
}

export function forbidden(named: Named, why: string): StatusError {
  const message = `${qualified(named)} "${named.name}" is forbidden: ${why}`;
  return new StatusError(403, "Forbidden", message, details(named));
}
