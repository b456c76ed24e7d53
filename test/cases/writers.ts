import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openNodeSelector } from "@rollcast/testkit/closed-nodes";
import type { PodCount } from "@rollcast/testkit/count-pods";
import { deployment } from "@rollcast/testkit/deployment";
import { helm, helm4 } from "@rollcast/testkit/helm";
import { runTool } from "@rollcast/testkit/run-tool";
import type { Place } from "./place.ts";

/** What a writer does to the pod template, beside ours. */
export type Effect =
  /** It leaves the template as it is. */
  | "keeps"
  /** It takes the marker off, and no more. */
  | "strips"
  /** It edits the template and leaves the marker. */
  | "edits"
  /** It does both. */
  | "edits and strips";

/** A Deployment of two pods, replaced one by one, that uses the ConfigMap of its name. */
function manifestOf(
  { place: { namespace }, tool }: Group,
  workload: string,
  image = "example/app:1",
) {
  const name = nameOf(tool, workload);
  const uses = [{ as: "envFrom", configMap: name }] as const;
  const object = deployment(namespace, name, { uses, replicas: 2, image });
  const { template } = object.spec;
  const nodeSelector = openNodeSelector(namespace, tool);
  return {
    ...object,
    spec: {
      ...object.spec,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: { ...template, spec: { ...template.spec, nodeSelector } },
    },
  };
}

/** The Deployments that one tool has in a place. */
export type Group = {
  readonly place: Place;
  readonly pods: PodCount;
  readonly tool: string;
  readonly writer: Writer;
};

/** The name of a tool's Deployment, and of its ConfigMap. */
export function nameOf(tool: string, workload: string): string {
  return `${tool}-${workload}`;
}

/** Another tool that writes the Deployments of one namespace. */
export type Writer = {
  /** Its Deployments, each with what the write does to it. */
  readonly workloads: Readonly<Record<string, Effect>>;
  /** Makes its Deployments, and with `content` their ConfigMaps. */
  install(group: Group, content?: string): Promise<unknown>;
  /** Writes all of them, and with `content` their ConfigMaps before; edits at release 2 only. */
  write(group: Group, release: 1 | 2, content?: string): Promise<unknown>;
  /** Takes release 2 back. */
  undo(group: Group): Promise<unknown>;
};

/** A folder for files of a group. */
async function dirOf({ place, tool }: Group): Promise<string> {
  const dir = join(place.world.stack.dir, place.namespace, tool);
  await mkdir(dir, { recursive: true });
  return dir;
}

/** The API's way to say where: for kubectl and Helm alike. */
const where = ({ place: { namespace, world } }: Group) => [
  `--kubeconfig=${world.stack.cluster.kubeconfig}`,
  `--namespace=${namespace}`,
];

function configMapOf({ tool }: Group, workload: string, content: string) {
  const metadata = { name: nameOf(tool, workload) };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { A: content } };
}

const NEXT = "example/app:2";

/** How kubectl writes. */
type Command = {
  readonly args: readonly string[];
  /** Its Deployments, each with the image of release 2 where it has another one. */
  readonly files: Readonly<Record<string, string | undefined>>;
  /** It names them, and has no file. */
  readonly isBare?: boolean;
};

const SERVER_SIDE = ["--server-side", "--force-conflicts", "--field-manager=ci"];

const FILES: readonly Command[] = [
  { args: ["replace"], files: { replace: undefined, swap: NEXT } },
  { args: ["apply"], files: { apply: undefined, release: NEXT } },
  { args: ["apply", ...SERVER_SIDE], files: { ssa: undefined, ssarelease: NEXT } },
];

const BARE: readonly Command[] = [
  { args: ["rollout", "undo"], files: { undo: undefined }, isBare: true },
  { args: ["rollout", "restart"], files: { restart: undefined }, isBare: true },
  { args: ["edit"], files: { edit: undefined }, isBare: true },
];

function kubectl(group: Group, ...args: readonly string[]): Promise<string> {
  // `kubectl edit` gives this the file's name.
  const env = { KUBE_EDITOR: `sed -i s|example/app:1|${NEXT}|` };
  return runTool("kubectl", [...where(group), ...args], env);
}

async function withFile(group: Group, args: readonly string[], objects: readonly object[]) {
  const path = join(await dirOf(group), `${randomBytes(4).toString("hex")}.json`);
  await writeFile(path, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  await kubectl(group, ...args, "-f", path);
}

/** The revision of a Deployment that has its first marker. */
const MARKED = 2;

function kubectlWriter(commands: readonly Command[], workloads: Writer["workloads"]): Writer {
  const objects = (group: Group, workload: string, image?: string, content?: string) => [
    ...(content === undefined ? [] : [configMapOf(group, workload, content)]),
    manifestOf(group, workload, image),
  ];
  return {
    workloads,
    async install(group, content) {
      const make = ({ args, files }: Command) => {
        const made = Object.keys(files).flatMap((workload) =>
          objects(group, workload, undefined, content),
        );
        return withFile(group, args[0] === "apply" ? args : ["create"], made);
      };
      await Promise.all(commands.map(make));
    },
    async write(group, release, content) {
      const run = ({ args, files, isBare }: Command) => {
        const entries = Object.entries(files);
        if (isBare === true) {
          const names = entries.map(([workload]) => `deployment/${nameOf(group.tool, workload)}`);
          return kubectl(group, ...args, ...names);
        }
        const written = entries.flatMap(([workload, image]) =>
          objects(group, workload, release === 2 ? image : undefined, content),
        );
        return withFile(group, args, written);
      };
      await Promise.all(commands.map(run));
    },
    undo(group) {
      const names = Object.keys(workloads).map((name) => `deployment/${nameOf(group.tool, name)}`);
      return kubectl(group, "rollout", "undo", `--to-revision=${MARKED}`, ...names);
    },
  };
}

const IN_FILES = {
  replace: "strips",
  swap: "edits and strips",
  apply: "keeps",
  release: "edits",
  ssa: "keeps",
  ssarelease: "edits",
} as const;

/** kubectl: what people and pipelines do with it, each to a Deployment of its own. */
export const KUBECTL = kubectlWriter([...FILES, ...BARE], {
  ...IN_FILES,
  undo: "strips",
  restart: "edits",
  edit: "edits",
});

/** Those that may be a release. */
export const KUBECTL_RELEASES = kubectlWriter(
  [
    ...FILES.map(({ args, files }) => ({
      args,
      files: Object.fromEntries(Object.entries(files).filter(([, image]) => image !== undefined)),
    })),
    { args: ["edit"], files: { edit: undefined }, isBare: true },
  ],
  {
    swap: IN_FILES.swap,
    release: IN_FILES.release,
    ssarelease: IN_FILES.ssarelease,
    edit: "edits",
  },
);

/** The commands whose files may have ConfigMaps too. */
export const KUBECTL_FILES = kubectlWriter(FILES, IN_FILES);

/** Somebody who writes something else, so that `effect` is that of an admission policy. */
export function annotator(workload: string, effect: Effect): Writer {
  return {
    ...kubectlWriter([{ args: [], files: { [workload]: undefined } }], { [workload]: effect }),
    write: (group) =>
      kubectl(group, "annotate", `deployment/${nameOf(group.tool, workload)}`, "example.com/a=1"),
  };
}

const CHARTED = ["plain", "nulled", "image", "nulledimage"];

/**
 * A chart of Deployments whose template has no annotations, or `annotations:` without a value, as
 * many have by a `with`; two of them with an image that is a value.
 */
async function writeChart(group: Group): Promise<string> {
  const dir = await dirOf(group);
  await mkdir(join(dir, "templates"), { recursive: true });
  await writeFile(join(dir, "Chart.yaml"), "apiVersion: v2\nname: chart\nversion: 1.0.0\n");
  for (const workload of CHARTED) {
    const image = workload.endsWith("image") ? "example/app:{{ .Values.tag }}" : undefined;
    const object = manifestOf(group, workload, image);
    const { template } = object.spec;
    const isNull = workload.startsWith("nulled");
    const metadata = isNull ? { ...template.metadata, annotations: null } : template.metadata;
    const spec = { ...object.spec, template: { ...template, metadata } };
    const map = JSON.stringify(configMapOf(group, workload, "{{ .Values.content }}"));
    const text = `{{ if .Values.content }}${map}\n---\n{{ end }}${JSON.stringify({ ...object, spec })}`;
    await writeFile(join(dir, "templates", `${workload}.yaml`), text);
  }
  return dir;
}

type HelmOptions = {
  readonly run: typeof helm;
  readonly install?: readonly string[];
  readonly upgrade?: readonly string[];
  readonly workloads: Writer["workloads"];
};

function helmWriter({ run, install = [], upgrade = [], workloads }: HelmOptions): Writer {
  const set = (group: Group, tag: 1 | 2, content?: string) => [
    ...where(group),
    `--set-string=tag=${String(tag)}`,
    ...(content === undefined ? [] : [`--set-string=content=${content}`]),
  ];
  return {
    workloads,
    async install(group, content) {
      const chart = await writeChart(group);
      await run("install", group.tool, chart, ...install, ...set(group, 1, content));
    },
    async write(group, release, content) {
      const chart = await dirOf(group);
      await run("upgrade", group.tool, chart, ...upgrade, ...set(group, release, content));
    },
    undo: (group) => run("rollback", group.tool, "1", ...upgrade, ...where(group)),
  };
}

const MERGED = {
  plain: "keeps",
  nulled: "strips",
  image: "edits",
  nulledimage: "edits and strips",
} as const;
const REPLACED = {
  plain: "strips",
  nulled: "strips",
  image: "edits and strips",
  nulledimage: "edits and strips",
} as const;
const APPLIED = { plain: "keeps", nulled: "keeps", image: "edits", nulledimage: "edits" } as const;
const CLIENT = ["--server-side=false"];

export const HELM: Readonly<Record<string, Writer>> = {
  helm3: helmWriter({ run: helm, workloads: MERGED }),
  helm3force: helmWriter({ run: helm, upgrade: ["--force"], workloads: REPLACED }),
  helm4: helmWriter({ run: helm4, workloads: APPLIED }),
  helm4client: helmWriter({ run: helm4, install: CLIENT, upgrade: CLIENT, workloads: MERGED }),
  helm4force: helmWriter({
    run: helm4,
    install: CLIENT,
    upgrade: [...CLIENT, "--force-replace"],
    workloads: REPLACED,
  }),
};
