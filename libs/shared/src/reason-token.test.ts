import fc from "fast-check";
import { expect, test } from "vitest";
import { reasonToken } from "./reason-token.ts";

test.each([
  ["QueuePaused", "queue-paused"],
  ["Http503", "http-503"],
  ["OnDelete", "on-delete"],
  ["ProgressDeadlineExceeded", "progress-deadline-exceeded"],
  ["TLSFailed", "tls-failed"],
  ["Malformed", "malformed"],
  ["already-kebab", "already-kebab"],
  ["HTTP 500", "http-500"],
  ["a.b *>", "a-b"],
  ["", "unknown"],
  ["...", "unknown"],
])("the reason %j is %j in a subject or a label", (reason, token) => {
  expect(reasonToken(reason)).toBe(token);
});

test("a token is a safe part of a subject, and its own token", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (reason) => {
      const token = reasonToken(reason);
      expect(token).toMatch(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/);
      expect(reasonToken(token)).toBe(token);
    }),
  );
});
