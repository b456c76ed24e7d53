import { selectTarget } from "@rollcast/kube/kubeconfig";
import { expect, test } from "vitest";
import { containerFaults } from "./container-faults.ts";

function faultsOf(cluster: object, user: object = { token: "s3cr3t" }): string[] {
  const content = {
    "current-context": "x",
    clusters: [{ name: "c", cluster }],
    users: [{ name: "u", user }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
  };
  return containerFaults(selectTarget([{ path: "/kube/config", content }]));
}

test.each([
  ["https://127.0.0.1:6443", "127.0.0.1:6443"],
  ["https://127.1.2.3:6443", "127.1.2.3:6443"],
  ["https://127.1:6443", "127.0.0.1:6443"],
  ["https://0.0.0.0:6443", "0.0.0.0:6443"],
  ["https://[::1]:6443", "[::1]:6443"],
  ["https://[::]:6443", "[::]:6443"],
  ["https://[::ffff:127.0.0.1]:6443", "[::ffff:7f00:1]:6443"],
  ["https://localhost:6443", "localhost:6443"],
  ["https://LOCALHOST.:6443/k8s", "localhost.:6443"],
  ["https://kubernetes.localhost", "kubernetes.localhost:443"],
  ["http://localhost.localdomain", "localhost.localdomain:80"],
])("%s is the container itself", (server, address) => {
  const [fault, ...more] = faultsOf({ server });
  const start = `cluster "c" of the kubeconfig /kube/config is at ${address}, which for a container is the container itself: `;
  expect(fault?.startsWith(start), fault).toBe(true);
  expect(fault).toContain(`https://host.docker.internal:${address.split(":").at(-1)}, with tls-`);
  expect(fault).toContain("kind get kubeconfig --internal");
  expect(more).toEqual([]);
});

test.each([
  "https://api.example.com",
  "https://10.0.0.1:6443",
  "https://172.17.0.1:6443",
  "https://host.docker.internal:6443",
  "https://kind-control-plane:6443",
  "https://[fd00::1]:6443",
  "https://localhost.example.com:6443",
  "https://128.0.0.1",
])("%s is somewhere else", (server) => {
  expect(faultsOf({ server })).toEqual([]);
});

test("with a proxy, it is the proxy that a container must reach", () => {
  const server = "https://127.0.0.1:6443";
  expect(faultsOf({ server, "proxy-url": "socks5://bastion:1080" })).toEqual([]);
  expect(
    faultsOf({ server: "https://api", "proxy-url": "socks5://me:s3cr3t@localhost:1080" }),
  ).toEqual([
    'the proxy-url of cluster "c" of the kubeconfig /kube/config is localhost:1080, which for a container is the container itself: name an address that containers reach',
  ]);
});

test.each([
  ["a plugin", { exec: { command: "aws", args: ["s3cr3t"] } }, "aws"],
  ["a plugin without a command", { exec: {} }, "without a name"],
  [
    "an older provider",
    { "auth-provider": { name: "gcp", config: { "cmd-path": "/opt/gcloud" } } },
    "/opt/gcloud",
  ],
])("a program that makes credentials is not in the image: %s", (_, user, program) => {
  expect(faultsOf({ server: "https://api" }, user)).toEqual([
    `user "u" of the kubeconfig /kube/config gets credentials from the program ${program}, which is not in the image: take a kubeconfig with a token or a client certificate`,
  ]);
});

test("credentials that a kubeconfig holds are right", () => {
  const server = "https://api";
  expect(faultsOf({ server }, { "client-certificate-data": "a", "client-key-data": "b" })).toEqual(
    [],
  );
  expect(faultsOf({ server }, { "auth-provider": { name: "oidc", config: {} } })).toEqual([]);
});
