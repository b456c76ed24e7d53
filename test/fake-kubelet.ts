import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Api } from "@rollcast/testkit/test-api";
import { WebSocketServer } from "ws";
import type { RawData, WebSocket } from "ws";

const TLS = join(import.meta.dirname, "fixtures", "tls");
/** kwok leaves the status of what carries this to others. */
const OWN_STATUS = { "kwok.x-k8s.io/status": "custom" };
const DATA = 0;
const ERROR = 1;

function framed(channel: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([channel]), bytes]);
}

/**
 * The kubelet's end of a forwarded port, on loopback: https://github.com/kubernetes/kubernetes
 * (staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go).
 */
function forward(ws: WebSocket, port: number): void {
  const portBytes = Buffer.alloc(2);
  portBytes.writeUInt16LE(port);
  for (const channel of [DATA, ERROR]) ws.send(framed(channel, portBytes));
  const socket = connect(port, "127.0.0.1");
  socket.on("data", (bytes) => ws.send(framed(DATA, bytes)));
  socket.on("error", (err) => ws.send(framed(ERROR, Buffer.from(err.message))));
  socket.on("close", () => ws.close());
  ws.on("close", () => socket.destroy());
  ws.on("message", (message: RawData) => {
    const bytes = Buffer.isBuffer(message) ? message : Buffer.concat([message].flat() as Buffer[]);
    if (bytes[0] === DATA) socket.write(bytes.subarray(1));
  });
}

/**
 * A node whose kubelet knows nothing but how to forward ports of its pods, to the same ports of
 * this machine.
 */
export async function startFakeKubelet(api: Api): Promise<AsyncDisposable & { node: string }> {
  const [cert, key] = await Promise.all([
    readFile(join(TLS, "test.crt")),
    readFile(join(TLS, "test.key")),
  ]);
  const server = createServer({ cert, key });
  const sockets = new WebSocketServer({
    server,
    handleProtocols: (protocols) =>
      [...protocols].find((protocol) => protocol.endsWith("channel.k8s.io")) ?? false,
  });
  sockets.on("connection", (ws, request) => {
    const url = new URL(request.url ?? "", "https://kubelet");
    forward(ws, Number(url.searchParams.get("port") ?? url.searchParams.get("ports")));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const node = `kubelet-${randomBytes(4).toString("hex")}`;
  await api.create("/api/v1/nodes", {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: node, annotations: OWN_STATUS },
    spec: { unschedulable: true },
  });
  const { port } = server.address() as AddressInfo;
  await api.patch(`/api/v1/nodes/${node}/status`, {
    status: {
      addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    },
  });
  return {
    node,
    async [Symbol.asyncDispose]() {
      await api.remove(`/api/v1/nodes/${node}`).catch(() => undefined);
      for (const ws of sockets.clients) ws.terminate();
      sockets.close();
      server.close();
    },
  };
}

/** A pod of that node that is ready, as far as the API server knows. */
export async function createReadyPod(
  api: Api,
  namespace: string,
  pod: {
    name: string;
    node: string;
    labels: Record<string, string>;
    ports: Readonly<Record<string, number>>;
  },
): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const ports = Object.entries(pod.ports).map(([name, containerPort]) => ({ name, containerPort }));
  await api.create(path, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: pod.name, namespace, labels: pod.labels, annotations: OWN_STATUS },
    spec: {
      nodeName: pod.node,
      containers: [{ name: "c", image: "example/app:1", ports }],
    },
  });
  await api.patch(`${path}/${pod.name}/status`, {
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
  });
}
