import { expect, test } from "vitest";
import type { SourceRecord } from "@rollcast/shared/records";
import { mayRoll, verdict } from "./policy.ts";
import type { Workload } from "./workload.ts";

const reference = { kind: "ConfigMap", name: "cfg", keys: "*" } as const;
const workload = (annotations: Record<string, string>, templateAnnotations = {}) =>
  ({
    namespace: "shop",
    annotations,
    templateAnnotations,
    references: [reference],
  }) as unknown as Workload;
const source = (annotations: Record<string, string>) =>
  ({ annotations }) as unknown as SourceRecord;
const AUTO = "reloader.stakater.com/auto";

test.each([
  { name: "no annotation: no", own: {}, want: [false, "not-opted-in"] },
  { name: "auto true: yes", own: { [AUTO]: "true" }, want: [true, "auto"] },
  { name: "our own auto: yes", own: { "rollcast.dev/auto": "true" }, want: [true, "auto"] },
  { name: "ParseBool's T: yes", own: { [AUTO]: "T" }, want: [true, "auto"] },
  { name: "ParseBool's 1: yes", own: { [AUTO]: "1" }, want: [true, "auto"] },
  { name: "yes is not ParseBool: no", own: { [AUTO]: "yes" }, want: [false, "not-opted-in"] },
  { name: "tRUE is not ParseBool: no", own: { [AUTO]: "tRUE" }, want: [false, "not-opted-in"] },
  {
    name: "the pod template speaks where the workload is silent",
    own: {},
    template: { [AUTO]: "true" },
    want: [true, "auto"],
  },
  {
    name: "the workload's word silences the pod template",
    own: { [AUTO]: "false" },
    template: { [AUTO]: "true" },
    want: [false, "not-opted-in"],
  },
  {
    name: "an ignored source never rolls",
    own: { [AUTO]: "true" },
    source: { "reloader.stakater.com/ignore": "true" },
    want: [false, "source-ignored"],
  },
  {
    name: "ignore is exactly true",
    own: { [AUTO]: "true" },
    source: { "rollcast.dev/ignore": "True" },
    want: [true, "auto"],
  },
])("$name", ({ own, template, source: annotations, want }) => {
  const question = {
    workload: workload(own, template),
    reference,
    source: annotations === undefined ? undefined : source(annotations),
  };
  const { roll, check, reason } = verdict(question);
  expect([roll, check]).toEqual(want);
  expect(reason).not.toBe("");
});

test("a workload that uses nothing may not roll", () => {
  expect(mayRoll({ ...workload({ [AUTO]: "true" }), references: [] })).toBe(false);
  expect(mayRoll(workload({ [AUTO]: "true" }))).toBe(true);
});
