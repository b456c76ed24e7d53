import { expect, test } from "vitest";
import { classifySlackApiAnswer } from "./slack-api.ts";

const NOW = Date.parse("2026-11-23T03:00:00.000Z");

function classify(body: unknown, more: { status?: number; retryAfter?: string } = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return classifySlackApiAnswer({ status: 200, retryAfter: undefined, body: text, ...more }, NOW);
}

test("an ok answer says where the message is", () => {
  const body = { ok: true, channel: "C1", ts: "1.2", message: { text: "x" } };
  expect(classify(body)).toEqual({ ok: true, channel: "C1", ts: "1.2" });
});

test.each([
  { error: "ratelimited", retryAfter: "7", sendResult: { kind: "later", delayMs: 7_000 } },
  { error: "rate_limited", retryAfter: undefined, sendResult: { kind: "later", delayMs: 30_000 } },
  { error: "internal_error", sendResult: { kind: "failed", reason: "SlackTrouble" } },
  { error: "fatal_error", sendResult: { kind: "failed", reason: "SlackTrouble" } },
  { error: "service_unavailable", sendResult: { kind: "failed", reason: "SlackTrouble" } },
  { error: "team_added_to_org", sendResult: { kind: "failed", reason: "SlackTrouble" } },
  { error: "invalid_auth", sendResult: { kind: "refused", reason: "InvalidAuth" } },
  { error: "token_revoked", sendResult: { kind: "refused", reason: "TokenRevoked" } },
  { error: "channel_not_found", sendResult: { kind: "refused", reason: "ChannelNotFound" } },
  { error: "not_in_channel", sendResult: { kind: "refused", reason: "NotInChannel" } },
  { error: "is_archived", sendResult: { kind: "refused", reason: "IsArchived" } },
  { error: "invalid_blocks", sendResult: { kind: "refused", reason: "InvalidBlocks" } },
  { error: "missing_scope", sendResult: { kind: "refused", reason: "MissingScope" } },
  { error: "something_new", sendResult: { kind: "refused", reason: "SlackError" } },
  { error: "__proto__", sendResult: { kind: "refused", reason: "SlackError" } },
  { error: "Something <new>", sendResult: { kind: "refused", reason: "SlackError" } },
])("ok:false with $error is $sendResult.kind", ({ error, retryAfter, sendResult }) => {
  const result = classify({ ok: false, error }, retryAfter === undefined ? {} : { retryAfter });
  expect(result).toMatchObject({ ok: false, error, sendResult });
});

test.each([
  { name: "a page", body: "<html>", status: 200, kind: "failed" },
  { name: "JSON of another form", body: "[]", status: 200, kind: "failed" },
  { name: "429 without a time", body: "", status: 429, kind: "failed" },
  { name: "503", body: "", status: 503, kind: "failed" },
  { name: "a redirect", body: "", status: 302, kind: "refused" },
])("$name is $kind", ({ body, status, kind }) => {
  expect(classify(body, { status })).toMatchObject({
    ok: false,
    error: undefined,
    sendResult: { kind },
  });
});
