import { expect, test } from "vitest";
import { judgeSlackApi } from "./slack-api.ts";

const NOW = Date.parse("2026-11-23T03:00:00.000Z");

function judge(body: unknown, more: { status?: number; retryAfter?: string } = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return judgeSlackApi({ status: 200, retryAfter: undefined, body: text, ...more }, NOW);
}

test("an answer that is ok says where the message is", () => {
  const body = { ok: true, channel: "C1", ts: "1.2", message: { text: "x" } };
  expect(judge(body)).toEqual({ ok: true, channel: "C1", ts: "1.2" });
});

test.each([
  { error: "ratelimited", retryAfter: "7", result: { kind: "later", delayMs: 7_000 } },
  { error: "rate_limited", retryAfter: undefined, result: { kind: "later", delayMs: 30_000 } },
  { error: "internal_error", result: { kind: "failed", reason: "SlackTrouble" } },
  { error: "fatal_error", result: { kind: "failed", reason: "SlackTrouble" } },
  { error: "service_unavailable", result: { kind: "failed", reason: "SlackTrouble" } },
  { error: "team_added_to_org", result: { kind: "failed", reason: "SlackTrouble" } },
  { error: "invalid_auth", result: { kind: "refused", reason: "InvalidAuth" } },
  { error: "token_revoked", result: { kind: "refused", reason: "TokenRevoked" } },
  { error: "channel_not_found", result: { kind: "refused", reason: "ChannelNotFound" } },
  { error: "not_in_channel", result: { kind: "refused", reason: "NotInChannel" } },
  { error: "is_archived", result: { kind: "refused", reason: "IsArchived" } },
  { error: "invalid_blocks", result: { kind: "refused", reason: "InvalidBlocks" } },
  { error: "missing_scope", result: { kind: "refused", reason: "MissingScope" } },
  { error: "something_new", result: { kind: "refused", reason: "SlackError" } },
  { error: "__proto__", result: { kind: "refused", reason: "SlackError" } },
  { error: "Something <new>", result: { kind: "refused", reason: "SlackError" } },
])("ok:false with $error is $result.kind", ({ error, retryAfter, result }) => {
  const judged = judge({ ok: false, error }, retryAfter === undefined ? {} : { retryAfter });
  expect(judged).toMatchObject({ ok: false, error, result });
});

test.each([
  { name: "a page", body: "<html>", status: 200, kind: "failed" },
  { name: "JSON of another form", body: "[]", status: 200, kind: "failed" },
  { name: "429 without a time", body: "", status: 429, kind: "failed" },
  { name: "503", body: "", status: 503, kind: "failed" },
  { name: "a redirect", body: "", status: 302, kind: "refused" },
])("$name is $kind", ({ body, status, kind }) => {
  expect(judge(body, { status })).toMatchObject({ ok: false, error: undefined, result: { kind } });
});
