import { z } from "zod";

const MAX_PORT = 65_535;

/** `host:port`; an IPv6 address in brackets. */
function listen() {
  return z
    .string()
    .max(300)
    .regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):\d{1,5}$/, "must be like 0.0.0.0:8081")
    .transform((text, ctx) => {
      const at = text.lastIndexOf(":");
      const port = Number(text.slice(at + 1));
      if (port > MAX_PORT) {
        ctx.addIssue({ code: "custom", message: `the port must be 0 to ${MAX_PORT}` });
      }
      return { host: text.slice(0, at).replaceAll(/^\[|\]$/g, ""), port };
    });
}

/**
 * The HTTP API of a service: off where this part is missing. `address` is where it listens unless
 * told.
 */
export function ApiSettings(address: string) {
  return z.strictObject({
    /** Port 0 takes a free one. */
    listen: listen().prefault(address),
    /**
     * File with the token that callers must send, at least 16 characters; read again when it
     * changes.
     */
    tokenFile: z.string().min(1),
  });
}
export type ApiConfig = z.infer<ReturnType<typeof ApiSettings>>;
