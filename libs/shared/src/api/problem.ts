import { z } from "zod";

/** Problem details for HTTP APIs (RFC 9457), the body of every answer that is no success. */
export const Problem = z
  .object({
    type: z.string().meta({ description: "urn:rollcast:problem:<code>" }),
    title: z.string(),
    status: z.number().int(),
    detail: z.string().meta({ description: "What is wrong, and what to do" }),
    code: z.string().meta({ description: "A machine word that does not change" }),
    faults: z
      .array(z.string())
      .optional()
      .meta({ description: "One line per fault of the request: where, and what would be right" }),
    requestId: z.string().optional().meta({ description: "Stands in the log of the service" }),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof Problem>;

const TITLES = {
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  500: "Internal Server Error",
  503: "Service Unavailable",
} as const;

export type ProblemStatus = keyof typeof TITLES;

/**
 * What a route throws where it cannot do what was asked. `detail` is for people: what is wrong, and
 * what to do.
 */
export class ProblemError extends Error {
  override name = "ProblemError";
  readonly status: ProblemStatus;
  readonly code: string;
  readonly faults: readonly string[] | undefined;

  constructor(status: ProblemStatus, code: string, detail: string, faults?: readonly string[]) {
    super(detail);
    this.status = status;
    this.code = code;
    this.faults = faults;
  }
}

/** The body that describes it. */
export function problemBody(problem: ProblemError, requestId: string): Problem {
  const { status, code, message, faults } = problem;
  return {
    type: `urn:rollcast:problem:${code}`,
    title: TITLES[status],
    status,
    detail: message,
    code,
    faults: faults === undefined ? undefined : [...faults],
    requestId,
  };
}
