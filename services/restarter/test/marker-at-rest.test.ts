import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { helm, helm4 } from "@rollcast/testkit/helm";
import { waitRolledOut } from "@rollcast/testkit/objects";
import { afterAll, beforeAll, expect, test } from "vitest";
import { faultsOf, wordsOf } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";
import { TAKEN_OFF, startMarkerHarness } from "./marker-harness.ts";
import type { MarkerHarness } from "./marker-harness.ts";

let marker: MarkerHarness;
let harness: RestarterHarness;

beforeAll(async () => {
  marker = await startMarkerHarness();
  ({ harness } = marker);
});

afterAll(() => harness[Symbol.asyncDispose]());

test.concurrent("at rest, a write that takes the marker off is the one restart for the content before it", async () => {
  const { api, namespace } = harness;
  const name = "rest";
  // Whatever is not made current by others waits for a request.
  const pause = { "deployment.reloader.stakater.com/pause-period": "1h" };
  const object = marker.manifest(name, {}, pause);
  /** The generation that the write made: it takes off the annotation of the revision too. */
  const put = async () => {
    const write = {
      method: "PUT",
      path: marker.pathOfWeb(name),
      body: object,
      manager: "helm",
    } as const;
    return (await api.call(write)).metadata.generation;
  };
  const roll = async (successes: number) => {
    await marker.ask(name, "roll");
    await harness.waitEvent("succeeded", name, successes);
    await waitRolledOut(api, namespace, name);
  };
  const putMarkerOff = async () => {
    const generation = await put();
    await harness.waitRecord(name, (record) => {
      return record.phase === "current" && record.generation === generation;
    });
    await waitRolledOut(api, namespace, name);
  };
  await marker.deploy(name, object);
  await harness.change(name, "1");
  await harness.waitEvent("deferred", name, 1);
  await roll(1);
  const first = await marker.uidsOf(name);

  await harness.change(name, "2");
  await harness.waitEvent("deferred", name, 2);
  await putMarkerOff();
  expect((await marker.uidsOf(name)).filter((uid) => first.includes(uid))).toEqual([]);

  // There is no marker now that it could take off.
  await harness.change(name, "3");
  await harness.waitEvent("deferred", name, 3);
  await put();
  await roll(2);

  await putMarkerOff();
  const words = wordsOf(await harness.events(), name);
  expect(words.filter((word) => word === "started")).toHaveLength(2);
  // One template to begin with, one for each content, and that of the last write.
  const { annotations } = (await harness.get(name)).metadata;
  expect(annotations?.["deployment.kubernetes.io/revision"]).toBe("5");
});

/** A chart whose template of pods has `annotations:` without a value, as many have by a `with`. */
async function writeChart(name: string): Promise<string> {
  const dir = join(harness.dir, name);
  const object = marker.manifest(name, {}, { note: "{{ .Values.note }}" });
  const { template } = object.spec;
  const metadata = { ...template.metadata, annotations: null };
  const spec = { ...object.spec, template: { ...template, metadata } };
  await mkdir(join(dir, "templates"), { recursive: true });
  await writeFile(join(dir, "Chart.yaml"), `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`);
  await writeFile(join(dir, "templates", "web.yaml"), JSON.stringify({ ...object, spec }));
  return dir;
}

/** How each Helm writes as the client, which merges three ways, and how it replaces. */
const HELMS = [
  { version: "Helm 3", name: "charted", run: helm, as: [], force: ["--force"] },
  {
    version: "Helm 4 without server-side apply",
    name: "charted4",
    run: helm4,
    as: ["--server-side=false"],
    force: ["--force-replace"],
  },
] as const;

test.concurrent.each(HELMS)(
  "a chart that writes annotations: null takes the marker off with each upgrade and rollback of $version: it is rolled again, and at rest it is not",
  async ({ name, run, as, force }) => {
    const { api, namespace, cluster } = harness;
    const chart = await writeChart(name);
    const where = [`--kubeconfig=${cluster.kubeconfig}`, `--namespace=${namespace}`, ...as];
    const note = (value: string) => `--set-string=note=${value}`;
    await marker.setOpen(name, true);
    await harness.adopt(name, "0");
    await run("install", name, chart, note("1"), ...where);
    await waitRolledOut(api, namespace, name);
    await harness.waitCurrent("Deployment", name);
    const before = await marker.uidsOf(name);
    await marker.rollHalfway(name);
    await run("upgrade", name, chart, note("2"), ...where);
    expect(await marker.endOf(name, 2)).toMatch(
      new RegExp(`^MarkerRemoved: ${TAKEN_OFF}, last written by field manager helm`),
    );
    await run("rollback", name, "1", ...where);
    await harness.waitEvent("started", name, 3);
    const words = await marker.finish(name, before);
    const again = ["started", "superseded"];
    expect(words).toEqual(["planned", ...again, ...again, "started", "succeeded"]);

    await run("upgrade", name, chart, ...force, note("3"), ...where);
    const { generation } = (await harness.get(name)).metadata;
    await harness.waitRecord(name, (record) => {
      return record.phase === "current" && record.generation === generation;
    });
    await waitRolledOut(api, namespace, name);
    expect((await harness.get(name)).metadata.generation).toBe(generation);
    expect(wordsOf(await harness.events(), name)).toEqual(words);
  },
);

test.concurrent("Helm 4 with server-side apply leaves the marker to Rollcast, whatever it renders and forces: each content is rolled once", async () => {
  const { api, namespace, cluster } = harness;
  const name = "applied4";
  const chart = await writeChart(name);
  const where = [`--kubeconfig=${cluster.kubeconfig}`, `--namespace=${namespace}`];
  const note = (value: string) => `--set-string=note=${value}`;
  await marker.setOpen(name, true);
  await harness.adopt(name, "0");
  await helm4("install", name, chart, note("1"), ...where);
  await waitRolledOut(api, namespace, name);
  await harness.waitCurrent("Deployment", name);
  const before = await marker.uidsOf(name);
  await marker.rollHalfway(name);
  await helm4("upgrade", name, chart, note("2"), ...where);
  await helm4("upgrade", name, chart, "--force-conflicts", note("3"), ...where);
  await helm4("rollback", name, "1", ...where);
  const words = await marker.finish(name, before);
  expect(words).toEqual(["planned", "started", "succeeded"]);

  const rolled = await marker.uidsOf(name);
  await helm4("upgrade", name, chart, "--force-conflicts", note("4"), ...where);
  await waitRolledOut(api, namespace, name);
  expect((await marker.uidsOf(name)).toSorted()).toEqual(rolled.toSorted());
  expect(wordsOf(await harness.events(), name)).toEqual(words);
});

test("each rollout of these has one beginning and one end", async () => {
  expect(faultsOf(await harness.events())).toEqual([]);
});
