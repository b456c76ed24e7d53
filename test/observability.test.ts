import { execFile } from "node:child_process";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { promtool } from "@rollcast/testkit/promtool";
import { beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { SCRAPED, families, groupedBy, matchersOf, metricsIn, seriesNames } from "./exposition.ts";
import type { Family } from "./exposition.ts";
import { setKey, startStack } from "./stack.ts";

const ROOT = repositoryRoot();
const DASHBOARD = join(ROOT, "deploy", "charts", "rollcast", "files", "dashboard.json");
const ALERTS = join(ROOT, "deploy", "charts", "rollcast", "files", "alerts.yaml");
const RUNBOOKS = join(ROOT, "docs", "runbooks");
const METRICS = join(ROOT, "docs", "metrics.md");
const ORDER = ["watcher", "restarter", "notifier"];
const BEGIN = "<!-- made by test/observability.test.ts -->";

const Alerts = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          labels: z.object({ severity: z.enum(["critical", "warning", "info"]) }),
          annotations: z.object({ summary: z.string(), runbook_url: z.string() }),
        }),
      ),
    }),
  ),
});
const Dashboard = z.object({
  panels: z.array(
    z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })).default([]) }),
  ),
});

/** By service; taken after a change went through all of them. */
const live = new Map<string, readonly Family[]>();
const alerts = async () =>
  Alerts.parse(parse(await readFile(ALERTS, "utf8"))).groups.flatMap(({ rules }) => rules);

beforeAll(async () => {
  await using stack = await startStack();
  const { api, namespace } = stack;
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "1" }));
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
  await setKey(stack, "cfg", "a", "2");
  await stack.waitEvent("sent", "hook");
  const inOrder = stack.services.toSorted((a, b) => ORDER.indexOf(a.name) - ORDER.indexOf(b.name));
  for (const service of inOrder) {
    const response = await fetch(`${service.http()}/metrics`);
    live.set(service.name, families(await response.text()));
  }
});

function existingNames(): Set<string> {
  return new Set([...live.values()].flat().flatMap(seriesNames));
}

test("every metric of ours has a unit or counts something, says what it is, and has a line in the docs", async () => {
  const ours = [...live].flatMap(([service, all]) =>
    all
      .filter(({ name }) => name.startsWith("rollcast_"))
      .map((family) => ({ service, ...family })),
  );
  for (const { name, type, help } of ours) {
    expect(help, name).toMatch(/\w{3}/);
    expect(name.endsWith("_total"), name).toBe(type === "counter");
    if (type === "histogram") expect(name).toMatch(/_(?:seconds|bytes)$/);
  }
  const names = [...new Set(ours.map(({ name }) => name))].toSorted();
  const rows = names.map((name) => {
    const all = ours.filter((family) => family.name === name);
    const services = all.map(({ service }) => service).join(", ");
    return `| \`${name}\` | ${all[0]?.type} | ${services} | ${all[0]?.help.replace(/\.$/, "")} |`;
  });
  const table = ["| metric | type | of | |", "|---|---|---|---|", ...rows, ""].join("\n");
  const text = await readFile(METRICS, "utf8");
  const made = `${text.slice(0, text.indexOf(BEGIN))}${BEGIN}\n\n${table}`;
  if (process.env.ROLLCAST_UPDATE_DOCS === "1") await writeFile(METRICS, made);
  else expect(text, "docs/metrics.md: run this test with ROLLCAST_UPDATE_DOCS=1").toBe(made);
});

test("every query of the dashboard asks for metrics that the services have", async () => {
  const { panels } = Dashboard.parse(JSON.parse(await readFile(DASHBOARD, "utf8")));
  const queries = panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }) => ({ title, names: metricsIn(expr) })),
  );
  expect(queries.length).toBeGreaterThan(15);
  const names = existingNames();
  for (const { title, names: requested } of queries) {
    expect(requested, title).not.toEqual([]);
    expect(
      requested.filter((name) => !names.has(name)),
      title,
    ).toEqual([]);
  }
});

test("every alert asks for metrics that the services have, and has a runbook; every runbook has an alert", async () => {
  const rules = await alerts();
  const names = existingNames();
  for (const { alert, expr, annotations } of rules) {
    const requested = metricsIn(expr);
    if (alert !== "RollcastDown") expect(requested, alert).not.toEqual([]);
    expect(
      requested.filter((name) => !names.has(name)),
      alert,
    ).toEqual([]);
    expect(annotations.runbook_url).toMatch(new RegExp(`/docs/runbooks/${alert}\\.md$`));
  }
  const books = (await readdir(RUNBOOKS)).map((file) => file.replace(/\.md$/, ""));
  expect(books.toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
});

test("Prometheus' own tool takes the alert rules", async () => {
  const tool = await promtool();
  // Where Debian's packages are not to be had, only its form is checked: that was done above.
  if (tool === undefined) return;
  const { stdout } = await promisify(execFile)(tool, ["check", "rules", ALERTS]);
  const count = (await alerts()).length;
  expect(stdout).toContain(`SUCCESS: ${count} rules found`);
});

/** These count what a good run does not have. */
const UNSEEN = new Set([
  "rollcast_notifications_dead_total",
  "rollcast_notifications_retried_total",
  "rollcast_patch_errors_total",
]);

/** What a metric has only where the services are one process: test/all-in-one.test.ts. */
const OF_ONE_PROCESS = "component";

test("labels and their values in queries and alerts are those of the live metrics", async () => {
  const { panels } = Dashboard.parse(JSON.parse(await readFile(DASHBOARD, "utf8")));
  const rules = (await alerts()).map(({ alert, expr }) => ({ title: alert, expr }));
  const queries = panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }) => ({ title, expr })),
  );
  const ours = live
    .values()
    .flatMap((all) => all.flatMap(({ samples }) => samples))
    .toArray();

  for (const { title, expr } of [...queries, ...rules]) {
    for (const name of metricsIn(expr).filter((metric) => !UNSEEN.has(metric))) {
      const samples = ours.filter((sample) => sample.name === name);
      expect(samples, `${title}: no sample of ${name}`).not.toEqual([]);
      for (const label of groupedBy(expr, name)) {
        if (SCRAPED.has(label) || label === OF_ONE_PROCESS) continue;
        const has = samples.every(({ labels }) => label in labels);
        expect(has, `${title}: ${name} has no label ${label}`).toBe(true);
      }
      for (const [label, value] of matchersOf(expr, name)) {
        const has = samples.some(({ labels }) => labels[label] === value);
        expect(has, `${title}: ${name} is never ${label}="${value}"`).toBe(true);
      }
    }
  }
});

/** Everything that a service of ours may say. */
async function sourcesOf(service: string): Promise<string> {
  const libs = ["shared", "kube", "nats", "runtime", "host"].map((name) => join("libs", name));
  const dirs = [join("services", service), ...libs];
  const texts = dirs.map(async (dir) => {
    const src = join(ROOT, dir, "src");
    const files = (await readdir(src, { recursive: true })).filter((name) => name.endsWith(".ts"));
    return Promise.all(files.map((file) => readFile(join(src, file), "utf8")));
  });
  return (await Promise.all(texts)).flat(2).join("\n").toLowerCase();
}

test("what runbooks look for in logs and Events is what the services say", async () => {
  let looked = 0;
  for (const file of await readdir(RUNBOOKS)) {
    const text = await readFile(join(RUNBOOKS, file), "utf8");
    const logs = text.matchAll(
      /logs deployment\/rollcast-(\w+)[^\n|]*(?:\| grep (?:-i )?'?([^'\n]+))?/g,
    );
    for (const [, service = "", words = ""] of logs) {
      expect(ORDER, file).toContain(service);
      expect(await sourcesOf(service), file).toContain(words.toLowerCase());
      looked++;
    }
    for (const [, reason = ""] of text.matchAll(/--field-selector reason=(\w+)/g)) {
      expect(await sourcesOf("restarter"), file).toContain(`"${reason.toLowerCase()}"`);
    }
  }
  expect(looked).toBeGreaterThan(10);
});
