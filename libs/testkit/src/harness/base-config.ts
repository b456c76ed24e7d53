import type { TestReceiver } from "../receiver.ts";

/** The cluster's name in all configurations of a harness. */
export const CLUSTER = "test";

/** The secret with which webhooks to a harness's receiver are signed. */
export const SIGNING_SECRET = `whsec_${Buffer.from("a signing secret of the tests, 32 b").toString("base64")}`;

/** The part of rollcast.yaml that is the same for every service under test. */
export function baseConfig(namespace?: string): object {
  return {
    apiVersion: "rollcast.dev/v1",
    kind: "Config",
    cluster: CLUSTER,
    scope: namespace === undefined ? undefined : { namespaces: [namespace] },
    log: { level: "debug" },
  };
}

/** What a receiver of the notifier needs to send to servers of this machine. */
export function localSecurity(...servers: readonly { readonly port: number }[]) {
  const allowedPorts = servers.map(({ port }) => port);
  return { allowHttp: true, allowCidrs: ["127.0.0.0/8"], allowedPorts };
}

/** The configuration of a webhook receiver `hook` that sends to a harness's receiver. */
export function webhookReceiver(receiver: TestReceiver, path = "/hook") {
  const signing = { secretsFrom: [{ env: "TEST_SIGNING_SECRET" }] };
  const webhook = { url: `${receiver.url}${path}`, signing };
  return { name: "hook", webhook, security: localSecurity(receiver) };
}
