import { expect, test } from "vitest";
import { references } from "./source-references.ts";

const container = (over: Record<string, unknown>) => ({ name: "c", image: "i", ...over });
const spec = (over: Record<string, unknown>) => ({
  spec: { containers: [container({})], ...over },
});

test.each([
  {
    name: "env uses one key",
    template: spec({
      containers: [
        container({
          env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "cfg", key: "a" } } }],
        }),
      ],
    }),
    want: [{ kind: "ConfigMap", name: "cfg", keys: ["a"] }],
  },
  {
    name: "envFrom uses all keys, of ConfigMaps and Secrets, also with a prefix and when optional",
    template: spec({
      containers: [
        container({
          envFrom: [
            { prefix: "P_", configMapRef: { name: "cfg", optional: true } },
            { secretRef: { name: "sec" } },
          ],
        }),
      ],
    }),
    want: [
      { kind: "ConfigMap", name: "cfg", keys: "*" },
      { kind: "Secret", name: "sec", keys: "*" },
    ],
  },
  {
    name: "volumes use all keys, or the items",
    template: spec({
      volumes: [
        { name: "v", configMap: { name: "cfg" } },
        {
          name: "s",
          secret: {
            secretName: "sec",
            items: [
              { key: "tls.key", path: "k" },
              { key: "tls.crt", path: "c" },
            ],
          },
        },
      ],
    }),
    want: [
      { kind: "ConfigMap", name: "cfg", keys: "*" },
      { kind: "Secret", name: "sec", keys: ["tls.crt", "tls.key"] },
    ],
  },
  {
    name: "projected volumes",
    template: spec({
      volumes: [
        {
          name: "p",
          projected: {
            sources: [
              { configMap: { name: "cfg", items: [{ key: "a", path: "a" }] } },
              { secret: { name: "sec" } },
              { serviceAccountToken: { path: "t" } },
            ],
          },
        },
      ],
    }),
    want: [
      { kind: "ConfigMap", name: "cfg", keys: ["a"] },
      { kind: "Secret", name: "sec", keys: "*" },
    ],
  },
  {
    name: "init and ephemeral containers count",
    template: spec({
      initContainers: [container({ envFrom: [{ configMapRef: { name: "init" } }] })],
      ephemeralContainers: [container({ envFrom: [{ secretRef: { name: "debug" } }] })],
    }),
    want: [
      { kind: "ConfigMap", name: "init", keys: "*" },
      { kind: "Secret", name: "debug", keys: "*" },
    ],
  },
  {
    name: "two uses of one source are one reference with the keys of both",
    template: spec({
      containers: [
        container({
          env: ["b", "a", "a"].map((key) => ({
            name: key,
            valueFrom: { secretKeyRef: { name: "sec", key } },
          })),
        }),
      ],
      volumes: [{ name: "s", secret: { secretName: "sec", items: [{ key: "c", path: "c" }] } }],
    }),
    want: [{ kind: "Secret", name: "sec", keys: ["a", "b", "c"] }],
  },
  {
    name: "all keys swallow single ones",
    template: spec({
      containers: [
        container({
          env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "cfg", key: "a" } } }],
          envFrom: [{ configMapRef: { name: "cfg" } }],
        }),
      ],
    }),
    want: [{ kind: "ConfigMap", name: "cfg", keys: "*" }],
  },
  { name: "no spec uses nothing", template: {}, want: [] },
  { name: "no template uses nothing", template: undefined, want: [] },
  {
    name: "what is not of the form is passed over",
    template: {
      spec: {
        containers: "x",
        volumes: [null, 3, { configMap: "y" }, { secret: { secretName: 4 } }],
      },
    },
    want: [],
  },
  {
    name: "a CSI volume uses its SecretProviderClass and the Secret that its driver logs in with",
    template: spec({
      volumes: [
        {
          name: "v",
          csi: {
            driver: "secrets-store.csi.k8s.io",
            volumeAttributes: { secretProviderClass: "spc" },
            nodePublishSecretRef: { name: "login" },
          },
        },
      ],
    }),
    want: [
      { kind: "Secret", name: "login", keys: "*" },
      { kind: "SecretProviderClass", name: "spc", keys: "*" },
    ],
  },
  ...["cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"].map((type) => ({
    name: `a ${type} volume uses its secretRef`,
    template: spec({ volumes: [{ name: "v", [type]: { secretRef: { name: "login" } } }] }),
    want: [{ kind: "Secret", name: "login", keys: "*" }],
  })),
  {
    name: "an azureFile volume uses its secretName",
    template: spec({ volumes: [{ name: "v", azureFile: { secretName: "login" } }] }),
    want: [{ kind: "Secret", name: "login", keys: "*" }],
  },
  {
    name: "image pull Secrets and what cannot be a name do not count",
    template: spec({
      imagePullSecrets: [{ name: "pull" }],
      volumes: [{ name: "v", configMap: { name: "A/b" } }],
    }),
    want: [],
  },
])("$name", ({ template, want }) => {
  expect(references(template as Parameters<typeof references>[0])).toEqual(want);
});

test("image pull Secrets count if configured", () => {
  const template = spec({ imagePullSecrets: [{ name: "pull" }] });
  expect(references(template, { imagePullSecrets: true })).toEqual([
    { kind: "Secret", name: "pull", keys: "*" },
  ]);
});
