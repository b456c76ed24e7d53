import type { PodTemplate } from "@rollcast/kube/workloads/kind";
import { describe, expect, test } from "vitest";
import { LAST_RELOADED_FROM, readMarks, variableName, withoutMarks } from "./reloader-marks.ts";

const SHA1 = "f83e99e324ba68ccc373a58ef1eb42f8ab88646a";
const OURS = `k1.${"a".repeat(32)}`;
const VAR = "STAKATER_CFG_CONFIGMAP";
const env = (value: string, name = VAR) => ({ name, value });
const template = (
  containers: object[],
  annotations?: Record<string, string>,
  spec: object = {},
): PodTemplate => ({
  ...(annotations === undefined ? {} : { metadata: { annotations } }),
  spec: { containers, ...spec },
});

test.each([
  { name: "cfg", want: "STAKATER_CFG_CONFIGMAP" },
  { name: "app.config-1", want: "STAKATER_APP_CONFIG_1_CONFIGMAP" },
  { name: "a..b--c", want: "STAKATER_A_B_C_CONFIGMAP" },
])("2.3 the variable for $name", ({ name, want }) => {
  expect(variableName("ConfigMap", name)).toBe(want);
  expect(variableName("SecretProviderClass", "x")).toBe("STAKATER_X_SECRETPROVIDERCLASS");
});

describe("reading", () => {
  test("distinguishes Reloader's variables from ours and from others", () => {
    const { containers, reloader } = readMarks(
      template([
        {
          name: "web",
          env: [
            env("info", "LOG"),
            env(SHA1),
            env(OURS, "STAKATER_B_SECRET"),
            env("plain", "STAKATER_C_SECRET"),
            env(SHA1, "STAKATER_C_OTHER"),
          ],
        },
        { name: "side" },
      ]),
      "marker",
    );
    expect(containers).toEqual([
      {
        name: "web",
        hasEnv: true,
        variables: [
          { index: 1, name: VAR, ours: false },
          { index: 2, name: "STAKATER_B_SECRET", ours: true },
        ],
      },
      { name: "side", hasEnv: false, variables: [] },
    ]);
    expect(reloader).not.toBe("");
  });

  test("is empty if there are no marks and none are to be written", () => {
    const plain = template([{ name: "web", env: [env("x", "LOG")] }]);
    expect(readMarks(plain, "marker")).toEqual({
      containers: [],
      targets: {},
      lastReloadedFrom: "none",
      reloader: "",
    });
    expect(readMarks(plain, "reloader-env-vars").containers).toHaveLength(1);
    expect(readMarks(undefined, "marker").reloader).toBe("");
  });

  test.each([
    { text: undefined, want: "none" },
    { text: JSON.stringify({ hash: OURS }), want: "ours" },
    { text: JSON.stringify({ hash: SHA1 }), want: "reloader" },
    { text: "{", want: "reloader" },
  ])("last-reloaded-from $text is $want", ({ text, want }) => {
    const annotations: Record<string, string> =
      text === undefined ? {} : { [LAST_RELOADED_FROM]: text };
    expect(readMarks(template([], annotations), "marker").lastReloadedFrom).toBe(want);
  });

  test("a restart by Reloader changes the hash, one by us does not", () => {
    const hash = (value: string) =>
      readMarks(template([{ name: "web", env: [env(value)] }]), "marker").reloader;
    expect(hash(SHA1)).not.toBe(hash(SHA1.replace("f", "0")));
    expect(hash(OURS)).toBe("");
  });

  test("3 the container that Reloader marks: the one that mounts, then the one with the environment, the first for an init container", () => {
    const mounts = (name: string) => ({ volumeMounts: [{ name }] });
    const { targets } = readMarks(
      template(
        [
          { name: "a" },
          { name: "b", ...mounts("v"), envFrom: [{ secretRef: { name: "sec" } }] },
          { name: "c", ...mounts("v"), envFrom: [{ configMapRef: { name: "cfg" } }] },
        ],
        undefined,
        {
          initContainers: [{ name: "i", ...mounts("w") }],
          volumes: [
            { name: "v", configMap: { name: "cfg" } },
            { name: "w", secret: { secretName: "sec" } },
            { name: "u", configMap: { name: "unmounted" } },
          ],
        },
      ),
      "reloader-env-vars",
    );
    expect(targets).toEqual({ "ConfigMap/cfg": 1 });
  });
});

test("a template without marks is the same, whoever wrote them", () => {
  const bare = template([{ name: "web", image: "i" }], {});
  const marked = template([{ name: "web", image: "i", env: [env(SHA1)] }], {
    [LAST_RELOADED_FROM]: "{}",
  });
  expect(withoutMarks(marked)).toEqual(bare);
  expect(withoutMarks(bare)).toBe(bare);
  expect(withoutMarks(undefined)).toBeUndefined();
});
