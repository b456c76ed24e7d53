import { expect, test } from "vitest";
import { RolloutOutcome } from "@rollcast/shared/events";
import type { Templates } from "@rollcast/shared/config/templates";
import { messageOf } from "./message.ts";
import type { Message } from "./message.ts";
import { compileTemplates, fullSample, sampleGroups } from "./templates.ts";
import type { ApplyTemplates } from "./templates.ts";

function message(outcome: RolloutOutcome | "mixed" = "failed", group = 0): Message {
  const events = sampleGroups(outcome)[group] ?? [];
  return messageOf({ id: "n1", events, labels: {}, createdAt: 0 }, "prod");
}

function compile(templates: Templates, more: Templates = {}): ApplyTemplates {
  const sources = [
    { path: "notifier.receivers[0].templates", templates },
    { path: "notifier.templates", templates: more },
  ];
  return compileTemplates(sources, (fault) => {
    throw new Error(fault);
  });
}

test("a template makes the title and the text of its outcome, and of no other", () => {
  const applyTemplates = compile({
    "rollout.failed": {
      title: "{{ workload }} failed",
      text: "{{ cause.kind }} {{ cause.name }} ({{ cause.keys }}) by {{ cause.changedBy }}; {{ reason }} after {{ duration }}. {{ affected }} affected.",
    },
  });
  expect(applyTemplates(message())).toMatchObject({
    title: "Deployment shop/web failed",
    text: "ConfigMap web-config (LOG_LEVEL, +NEW_KEY) by kubectl-edit; ProgressDeadlineExceeded after 10m. 12 affected.",
    custom: true,
  });
  expect(applyTemplates(message("succeeded"))).toEqual(message("succeeded"));
});

test("the receiver's template wins over the notifier's, an outcome's over the default", () => {
  const applyTemplates = compile(
    { default: { title: "mine" } },
    { "rollout.failed": { title: "all's", text: "text" }, default: { text: "any" } },
  );
  expect(applyTemplates(message("succeeded"))).toMatchObject({ title: "mine", text: "any" });
  expect(applyTemplates(message("failed"))).toMatchObject({ title: "all's", text: "text" });
});

test("loops render a group, and every variable is set even for a minimal event", () => {
  const text =
    "{{ count }}:{% for one in workloads %} {{ one.name }}={{ one.outcome }}{{ one.reason }}{% endfor %}{{ cause.changedAt }}{{ queue }}{{ message }}";
  const applyTemplates = compile({ default: { text } });
  for (const outcome of [...RolloutOutcome.options, "mixed"] as const) {
    for (const group of sampleGroups(outcome).keys()) {
      expect(applyTemplates(message(outcome, group)).text).toMatch(/^\d+: /);
    }
  }
});

test.each([
  { name: "an unknown variable", text: "{{ wrkload }}", fault: "undefined variable: wrkload" },
  {
    name: "an unknown property",
    text: "{{ cause.kinds }}",
    fault: "undefined variable: cause.kinds",
  },
  { name: "an unknown filter", text: "{{ workload | shout }}", fault: "undefined filter: shout" },
  { name: "an unknown tag", text: "{% shout %}", fault: 'tag "shout" not found' },
  { name: "an unclosed tag", text: "{{ workload", fault: "not closed" },
  { name: "a file", text: "{% include '/etc/passwd' %}", fault: 'tag "include" not found' },
  { name: "a partial", text: "{% render 'x' %}", fault: 'tag "render" not found' },
  { name: "a layout", text: "{% layout 'x' %}", fault: 'tag "layout" not found' },
  { name: "a prototype", text: "{{ cause.constructor }}", fault: "undefined variable" },
  {
    name: "a loop without end",
    text: "{% for a in (1..100000000) %}{{ a }}{% endfor %}",
    fault: "limit exceeded",
  },
  {
    name: "a text that grows",
    text: "{% assign a = 'xxxxxxxxxxxxxxxx' %}{% for i in (1..64) %}{% assign a = a | append: a %}{% endfor %}{{ a }}",
    fault: "limit exceeded",
  },
])("$name is refused with its path", ({ text, fault }) => {
  const templates: Templates = { "rollout.failed": { title: "ok", text } };
  expect(() => compile(templates)).toThrow(
    'notifier.receivers[0].templates["rollout.failed"].text: ',
  );
  expect(() => compile({}, templates)).toThrow(`notifier.templates["rollout.failed"].text: `);
  expect(() => compile(templates)).toThrow(fault);
});

test("a title that is empty for any event is refused", () => {
  const title = "{% if reason != '' %}{{ reason }}{% endif %}";
  expect(() => compile({ "rollout.failed": { title } })).toThrow("renders no title for failed");
});

test("every fault is named at once", () => {
  const bad = { title: "{{ a }}", text: "{{ b }}" };
  expect(() => compile({ "rollout.failed": bad }, { default: bad })).toThrow(
    /failed"\]\.title[\s\S]*failed"\]\.text[\s\S]*default"\]\.title[\s\S]*default"\]\.text/,
  );
});

test("a template that fails at runtime leaves the message unchanged", () => {
  const faults: string[] = [];
  const text = "{% if count > 2 %}{{ nothing }}{% endif %}ok";
  const sources = [{ path: "t", templates: { "rollout.failed": { text } } }];
  const applyTemplates = compileTemplates(sources, (fault) => faults.push(fault));
  const events = ["a", "b", "c"].map((name) => fullSample("failed", name));
  const three = messageOf({ id: "n1", events, labels: {}, createdAt: 0 }, "prod");
  expect(applyTemplates(three)).toEqual(three);
  expect(faults).toEqual([expect.stringContaining('t["rollout.failed"].text: undefined variable')]);
});

test("a title is one line, and title and text are bounded", () => {
  const applyTemplates = compile({
    default: {
      title: "a\n b{{ title }}{{ text }}",
      text: "{% for i in (1..1100) %}abcdefghijklmnopqrst{% endfor %}",
    },
  });
  const { title, text } = applyTemplates(message());
  expect(title).toMatch(/^a b/);
  expect(title).not.toContain("\n");
  expect(title.length).toBeLessThanOrEqual(500);
  expect(text.length).toBeLessThanOrEqual(20_000);
});
