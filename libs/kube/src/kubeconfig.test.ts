import { describe, expect, test } from "vitest";
import { forLibrary, referencedFiles } from "./kubeconfig-files.ts";
import { selectTarget } from "./kubeconfig.ts";
import type { KubeconfigFile } from "./kubeconfig.ts";

function file(path: string, current: string | undefined, server: string, names = ["c"]) {
  return {
    path,
    content: {
      "current-context": current,
      clusters: names.map((name) => ({ name, cluster: { server: `https://${server}` } })),
      users: [{ name: "u", user: { token: path } }],
      contexts: names.map((name) => ({
        name: `to-${name}`,
        context: { cluster: name, user: "u" },
      })),
    },
  } satisfies KubeconfigFile;
}

describe("of several files, as for kubectl", () => {
  const staging = file("/staging", "to-staging", "staging", ["staging"]);
  const prod = file("/prod", "to-prod", "prod", ["prod", "staging"]);

  test.each([
    ["the first current-context counts", [staging, prod], undefined, "https://staging"],
    ["the order is that of the files", [prod, staging], undefined, "https://prod"],
    ["a name is what the first file says", [prod, staging], "to-staging", "https://prod"],
    ["a context of a later file can be chosen", [staging, prod], "to-prod", "https://prod"],
    [
      "a file without a current-context leaves the choice to the next",
      [file("/a", undefined, "a"), prod],
      undefined,
      "https://prod",
    ],
    [
      "a file that is missing is passed over",
      [{ path: "/none", content: undefined }, prod],
      undefined,
      "https://prod",
    ],
  ])("%s", (_, files, context, server) => {
    const target = selectTarget(files, context);
    expect(target.cluster.server).toBe(server);
    // Both have it; the first keeps it.
    expect(target.user?.fields).toEqual({ token: files.find(({ content }) => content)?.path });
  });

  test("a context may name what another file holds", () => {
    const content = { contexts: [{ name: "mixed", context: { cluster: "c", user: "u" } }] };
    const files = [{ path: "/a", content }, file("/b", undefined, "b")];
    expect(selectTarget(files, "mixed")).toMatchObject({
      cluster: { file: "/b" },
      user: { name: "u" },
    });
  });

  test("a file that is missing is not named where another lacks something", () => {
    const files = [{ path: "/none", content: undefined }, prod];
    expect(() => selectTarget(files, "x")).toThrow(/^the kubeconfig \/prod has no context "x"/);
  });
});

function target(cluster: object, user: object) {
  const content = {
    "current-context": "x",
    clusters: [{ name: "c", cluster: { server: "https://api", ...cluster } }, { name: "broken" }],
    users: [{ name: "u", user }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }, { name: "broken" }],
  };
  return selectTarget([{ path: "/home/me/.kube/config", content }]);
}
const given = (made: ReturnType<typeof target>) => {
  const { clusters, users } = JSON.parse(forLibrary(made));
  return { ...clusters[0].cluster, ...users[0].user };
};

test("paths are those of the kubeconfig's folder", () => {
  const made = target(
    { "certificate-authority": "ca.crt" },
    { "client-certificate": "../me.crt", "client-key": "/abs/me.key" },
  );
  expect(referencedFiles(made).map(({ key, path }) => [key, path])).toEqual([
    ["certificate-authority", "/home/me/.kube/ca.crt"],
    ["client-certificate", "/home/me/me.crt"],
    ["client-key", "/abs/me.key"],
  ]);
  expect(given(made)).toEqual({
    server: "https://api",
    "certificate-authority": "/home/me/.kube/ca.crt",
    "client-certificate": "/home/me/me.crt",
    "client-key": "/abs/me.key",
  });
});

test("what the kubeconfig holds goes before a file with the same", () => {
  const made = target(
    { "certificate-authority": "ca.crt", "certificate-authority-data": "Y2E=" },
    { "client-key": "me.key", "client-key-data": "a2V5" },
  );
  expect(referencedFiles(made)).toEqual([]);
  expect(given(made)).toEqual({
    server: "https://api",
    "certificate-authority-data": "Y2E=",
    "client-key-data": "a2V5",
  });
});

test("a token in a file goes before one in the kubeconfig", () => {
  expect(given(target({}, { token: "old" }))).toMatchObject({ token: "old" });
  const both = given(target({}, { token: "old", tokenFile: "token" }));
  expect(both).toMatchObject({
    "auth-provider": { name: "tokenFile", config: { tokenFile: "/home/me/.kube/token" } },
  });
  expect(both).not.toHaveProperty("token");
});

test("a server without TLS has none to verify", () => {
  expect(given(target({ server: "http://127.0.0.1:8001" }, {}))).toEqual({
    server: "http://127.0.0.1:8001",
    "insecure-skip-tls-verify": true,
  });
});
