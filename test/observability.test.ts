import { execFile } from "node:child_process";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { configMap, deployment, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { promtool } from "@rollcast/testkit/promtool";
import { beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { families, metricsIn, seriesNames } from "./exposition.ts";
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
}, 120_000);

function known(): Set<string> {
  return new Set([...live.values()].flat().flatMap(seriesNames));
}

test("every metric of ours has a unit or counts something, says what it is, and has a line in the docs", async () => {
  const ours = [...live].flatMap(([service, all]) =>
    all.filter(({ name }) => name.startsWith("rollcast_")).map((one) => ({ service, ...one })),
  );
  for (const { name, type, help } of ours) {
    expect(help, name).toMatch(/\w{3}/);
    expect(name.endsWith("_total"), name).toBe(type === "counter");
    if (type === "histogram") expect(name).toMatch(/_(?:seconds|bytes)$/);
  }
  const names = [...new Set(ours.map(({ name }) => name))].toSorted();
  const rows = names.map((name) => {
    const all = ours.filter((one) => one.name === name);
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
  const names = known();
  for (const { title, names: asked } of queries) {
    expect(asked, title).not.toEqual([]);
    expect(
      asked.filter((name) => !names.has(name)),
      title,
    ).toEqual([]);
  }
});

test("every alert asks for metrics that the services have, and has a runbook; every runbook has an alert", async () => {
  const rules = await alerts();
  const names = known();
  for (const { alert, expr, annotations } of rules) {
    const asked = metricsIn(expr);
    if (alert !== "RollcastDown") expect(asked, alert).not.toEqual([]);
    expect(
      asked.filter((name) => !names.has(name)),
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
