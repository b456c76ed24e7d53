import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createSecureServer } from "node:http2";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { readFileSync } from "node:fs";
import { tokenOf } from "@rollcast/testkit/users";
import { startFaultProxy } from "@rollcast/testkit/fault-proxy";
import { startForwardProxy } from "@rollcast/testkit/forward-proxy";
import { configMap, createNamespace, paths } from "@rollcast/testkit/objects";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test, vi } from "vitest";
import { connectKube } from "../src/client.ts";
import { connectTo, silent, startCache } from "./object-cache.ts";
import { startSocksProxy } from "./socks-proxy.ts";

const cluster = useCluster();
const { api } = cluster;
const WRONG_CA = rootCertificates[0] ?? "";
const EXEC_API = "client.authentication.k8s.io/v1";

async function kubeconfigWith(parts: {
  user: object;
  ca?: string;
  server?: string;
  proxy?: string;
}) {
  const dir = await mkdtemp(join(tmpdir(), "rollcast-kube-"));
  const caFile = join(dir, "ca.crt");
  await writeFile(caFile, parts.ca ?? readFileSync(cluster.caFile));
  const file = join(dir, "config");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "c",
        cluster: {
          server: parts.server ?? cluster.url,
          "certificate-authority": "ca.crt",
          "proxy-url": parts.proxy,
        },
      },
    ],
    users: [{ name: "u", user: parts.user }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  await writeFile(file, JSON.stringify(config));
  return {
    file,
    dir,
    caFile,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

/**
 * An exec plugin that answers with the token that the file `token` beside it holds, and counts its
 * runs.
 */
async function execPlugin(dir: string): Promise<object> {
  const script = join(dir, "plugin.sh");
  const credential = `{"apiVersion":"${EXEC_API}","kind":"ExecCredential","status":{"token":"%s"}}`;
  await writeFile(
    script,
    `#!/bin/sh\necho run >> ${dir}/runs\nprintf '${credential}' "$(cat ${dir}/token)"\n`,
  );
  await chmod(script, 0o755);
  return { exec: { apiVersion: EXEC_API, command: script, interactiveMode: "Never" } };
}

const version = { method: "GET", path: "/api/v1/namespaces/default" } as const;
type NamespaceAnswer = { metadata?: { name?: string } };
const name = (namespace: NamespaceAnswer) => namespace.metadata?.name;

test("an exec plugin's token is kept, and asked for again when it is refused", async () => {
  await using config = await kubeconfigWith({ user: {} });
  const token = join(config.dir, "token");
  const runs = () => readFileSync(join(config.dir, "runs"), "utf8").split("\n").length - 1;
  const raw = JSON.parse(readFileSync(config.file, "utf8"));
  raw.users[0].user = await execPlugin(config.dir);
  await writeFile(config.file, JSON.stringify(raw));
  await writeFile(token, tokenOf("admin"));
  await using client = await connectKube({ logger: silent, kubeconfig: config.file });

  await Promise.all(Array.from({ length: 20 }, () => client.request(version)));
  expect(runs()).toBe(1);

  // The plugin hands out a new token only when it is run; the old one is refused from now on.
  await writeFile(token, "revoked");
  await using second = await connectKube({ logger: silent, kubeconfig: config.file });
  await expect(second.request(version)).rejects.toMatchObject({ status: 401 });
  await writeFile(token, tokenOf("admin"));
  const answers = () => Promise.all(Array.from({ length: 10 }, () => second.request(version)));
  const all = await waitFor(answers, { message: "the new token to be used" });
  expect(all).toHaveLength(10);
});

test("a token file that is rotated is read again when the old token is refused", async () => {
  await using config = await kubeconfigWith({ user: { tokenFile: "token" } });
  const token = join(config.dir, "token");
  await writeFile(token, "expired\n");
  await using client = await connectKube({ logger: silent, kubeconfig: config.file });
  await expect(client.request(version)).rejects.toMatchObject({ status: 401 });

  await writeFile(token, `${tokenOf("admin")}\n`);

  const answer = await waitFor(() => client.request<{ metadata: { name: string } }>(version));
  expect(name(answer)).toBe("default");
});

test("in a pod, its service account is used, and a renewed token when the old one is refused", async () => {
  const dir = await mkdtemp(join(tmpdir(), "rollcast-sa-"));
  const { hostname, port } = new URL(cluster.url);
  vi.stubEnv("KUBECONFIG", "");
  vi.stubEnv("KUBERNETES_SERVICE_HOST", hostname);
  vi.stubEnv("KUBERNETES_SERVICE_PORT", port);
  try {
    await writeFile(join(dir, "ca.crt"), readFileSync(cluster.caFile));
    await writeFile(join(dir, "token"), `${tokenOf("admin")}\n`);
    await using client = await connectKube({ logger: silent, serviceAccountDir: dir });
    expect(client.server).toBe(cluster.url);
    expect(name(await client.request(version))).toBe("default");

    await using other = await connectKube({ logger: silent, serviceAccountDir: dir });
    await writeFile(join(dir, "token"), "expired");
    await expect(other.request(version)).rejects.toMatchObject({ status: 401 });
    await writeFile(join(dir, "token"), tokenOf("admin"));
    expect(name(await waitFor(() => other.request<NamespaceAnswer>(version)))).toBe("default");
  } finally {
    vi.unstubAllEnvs();
    await rm(dir, { recursive: true, force: true });
  }
});

test("a reflector goes on when its credentials are rotated", async () => {
  await using ns = await createNamespace(api, "rotate");
  await using config = await kubeconfigWith({ user: { tokenFile: "token" } });
  const token = join(config.dir, "token");
  await writeFile(token, "expired");
  await using client = await connectKube({ logger: silent, kubeconfig: config.file });
  const resource = { group: "", version: "v1", plural: "configmaps", namespace: ns.name };
  await using cache = startCache(client, resource);
  await waitFor(() => cache.reflector.fault() === "401 Unauthorized");

  await writeFile(token, tokenOf("admin"));
  await cache.reflector.synced;
  await api.create(paths.configMap(ns.name), configMap(ns.name, "a", { v: "1" }));

  await waitFor(() => cache.values().a === "1");
  expect(cache.reflector.fault()).toBeUndefined();
});

test("a server whose certificate is not trusted is refused, until the CA file is right", async () => {
  await using config = await kubeconfigWith({ user: { token: tokenOf("admin") }, ca: WRONG_CA });
  await using client = await connectKube({ logger: silent, kubeconfig: config.file });
  await expect(client.request(version)).rejects.toMatchObject({
    status: 0,
    reason: expect.stringMatching(/CERT|SIGNATURE|ISSUER/),
  });

  await writeFile(config.caFile, readFileSync(cluster.caFile));

  const answer = await waitFor(() => client.request<{ metadata: { name: string } }>(version));
  expect(name(answer)).toBe("default");
});

test("a Status is an error with its reason", async () => {
  await using client = await connectTo(cluster);

  await expect(
    client.request({ method: "GET", path: "/api/v1/namespaces/nowhere-at-all" }),
  ).rejects.toMatchObject({
    status: 404,
    reason: "NotFound",
    message: expect.stringContaining("nowhere"),
  });
  await expect(
    client.request({
      method: "POST",
      path: "/api/v1/namespaces",
      body: { metadata: { name: "A_" } },
    }),
  ).rejects.toMatchObject({ status: 422, reason: "Invalid" });
});

test("what is asked of a deletion is heeded", async () => {
  await using ns = await createNamespace(api, "deletion");
  const namespace = ns.name;
  await using kube = await connectTo(cluster);
  const path = `${paths.configMap(namespace)}/kept`;
  await api.create(paths.configMap(namespace), configMap(namespace, "kept", { a: "ö" }));
  const body = { preconditions: { uid: "another, with an ö" } };
  await expect(kube.request({ method: "DELETE", path, body })).rejects.toMatchObject({
    status: 409,
  });
  expect(await api.get(path)).toMatchObject({ data: { a: "ö" } });
});

test("time-outs, lost connections, too large and garbled answers have no status", async () => {
  await using proxy = await startFaultProxy(cluster);
  await using client = await connectTo(cluster, proxy.url);
  const failing = (options: object = {}) => client.request({ ...version, ...options });

  proxy.rules([{ times: 1, fault: { do: "stall" } }]);
  await expect(failing({ timeoutMs: 200 })).rejects.toMatchObject({ status: 0, reason: "Timeout" });
  proxy.rules([{ times: 1, fault: { do: "reset" } }]);
  await expect(failing()).rejects.toMatchObject({ status: 0 });
  proxy.rules([{ times: 1, fault: { do: "garble" } }]);
  await expect(failing()).rejects.toMatchObject({ status: 0, reason: "NotJson" });
  proxy.rules([{ times: 1, fault: { do: "answer", status: 429, retryAfter: 3 } }]);
  await expect(failing()).rejects.toMatchObject({ status: 429, retryAfterMs: 3_000 });
  proxy.rules([]);
  await expect(failing({ maxBytes: 10 })).rejects.toMatchObject({ status: 0, reason: "TooLarge" });
});

test("an abort is an abort, not an error of the API", async () => {
  await using proxy = await startFaultProxy(cluster);
  await using client = await connectTo(cluster, proxy.url);
  proxy.rules([{ fault: { do: "stall" } }]);
  const controller = new AbortController();
  const request = client.request({ ...version, signal: controller.signal });

  await waitFor(() => proxy.requests.length === 1);
  controller.abort();

  await expect(request).rejects.toMatchObject({ name: "AbortError" });
});

test("a kubeconfig that is missing or lacks the context is refused with what it has", async () => {
  await expect(connectKube({ logger: silent, kubeconfig: "/nowhere" })).rejects.toMatchObject({
    name: "ConfigError",
  });
  await expect(
    connectKube({ logger: silent, kubeconfig: cluster.kubeconfig, context: "prod" }),
  ).rejects.toThrow('no context "prod": it has rollcast');
});

test("a server that offers HTTP/2 is spoken to over HTTP/1.1, whose connections end without harm", async () => {
  const cert = readFileSync(cluster.caFile);
  const key = readFileSync(cluster.caFile.replace(/\.crt$/, ".key"));
  const spoken: string[] = [];
  const server = createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
    spoken.push(request.httpVersion);
    response.end("{}");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await using config = await kubeconfigWith({ user: { token: "t" }, server: url });
  {
    await using client = await connectKube({ logger: silent, kubeconfig: config.file });
    await client.request(version);
    for await (const _ of await client.stream(version));
  }
  server.close();
  expect(spoken).toEqual(["1.1", "1.1"]);
});

test.each([
  ["http", startForwardProxy],
  ["socks5", startSocksProxy],
] as const)(
  "a kubeconfig's proxy of the scheme %s carries requests and watches",
  async (scheme, start) => {
    await using proxy = await start();
    await using config = await kubeconfigWith({
      user: { token: tokenOf("admin") },
      proxy: `${scheme}://127.0.0.1:${proxy.port}`,
    });
    await using client = await connectKube({ logger: silent, kubeconfig: config.file });
    const { host } = new URL(cluster.url);
    expect(name(await client.request<NamespaceAnswer>(version))).toBe("default");
    const watch = await client.stream({
      method: "GET",
      path: "/api/v1/namespaces",
      query: { watch: "1", timeoutSeconds: "1" },
    });
    const chunks: Uint8Array[] = [];
    for await (const chunk of watch) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toContain('"ADDED"');
    expect(proxy.requests).toEqual([`CONNECT ${host}`, `CONNECT ${host}`]);
  },
);

test("through a proxy too, the certificate must be for the server's name", async () => {
  await using proxy = await startForwardProxy();
  await using config = await kubeconfigWith({
    user: { token: tokenOf("admin") },
    server: cluster.url.replace("127.0.0.1", "localhost"),
    proxy: `http://127.0.0.1:${proxy.port}`,
  });
  await using client = await connectKube({ logger: silent, kubeconfig: config.file });
  const refused = { status: 0, reason: "ERR_TLS_CERT_ALTNAME_INVALID" };
  await expect(client.request(version)).rejects.toMatchObject(refused);
});

test("what is under way through a proxy ends with its signal", async () => {
  await using proxy = await startForwardProxy();
  await using config = await kubeconfigWith({
    user: { token: tokenOf("admin") },
    proxy: `http://127.0.0.1:${proxy.port}`,
  });
  await using client = await connectKube({ logger: silent, kubeconfig: config.file });
  const stop = new AbortController();
  const path = "/api/v1/namespaces";
  const watch = await client.stream({
    method: "GET",
    path,
    query: { watch: "1" },
    signal: stop.signal,
  });
  const reading = (async () => {
    for await (const _ of watch) stop.abort(new Error("enough"));
  })();
  await expect(reading).rejects.toThrow("enough");
});

test("a server that takes a connection and says nothing is given up before the answer's time is over", async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await using config = await kubeconfigWith({ user: { token: "t" }, server: url });
  await using client = await connectKube({ logger: silent, kubeconfig: config.file });
  const asking = client.request({ ...version, timeoutMs: 60_000 });
  await expect(asking).rejects.toMatchObject({ status: 0, reason: "ConnectTimeout" });
  for (const socket of sockets) socket.destroy();
  server.close();
});
