import { BlockList, isIP } from "node:net";
import { textAt } from "@rollcast/kube/kubeconfig";
import type { KubeconfigTarget } from "@rollcast/kube/kubeconfig";
import { dig } from "@rollcast/kube/object";

/** Loopback, and "this host": in a container both are the container. */
const OWN_ADDRESSES = new BlockList();
OWN_ADDRESSES.addSubnet("127.0.0.0", 8);
OWN_ADDRESSES.addSubnet("0.0.0.0", 8);
OWN_ADDRESSES.addAddress("::1", "ipv6");
OWN_ADDRESSES.addAddress("::", "ipv6");

function isOwnAddress({ hostname }: URL): boolean {
  const host = hostname.replaceAll(/^\[|\]$|\.$/g, "");
  const version = isIP(host);
  if (version !== 0) return OWN_ADDRESSES.check(host, version === 6 ? "ipv6" : "ipv4");
  return host === "localhost" || host.endsWith(".localhost") || host === "localhost.localdomain";
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

/**
 * Why a container cannot reach the cluster. If there is a proxy, only the proxy must be reachable.
 */
function addressFault({ cluster }: KubeconfigTarget): string | undefined {
  const proxy = textAt(cluster, "proxy-url");
  const url = URL.parse(proxy ?? cluster.server);
  if (url === null || !isOwnAddress(url)) return undefined;
  const port = url.port || (DEFAULT_PORTS[url.protocol] ?? "");
  const where = `cluster "${cluster.name}" of the kubeconfig ${cluster.file}`;
  const what = proxy === undefined ? `${where} is at` : `the proxy-url of ${where} is`;
  const sentence = `${what} ${url.hostname}${port === "" ? "" : `:${port}`}, which for a container is the container itself`;
  if (proxy !== undefined) return `${sentence}: name an address that containers reach`;
  return [
    `${sentence}: name an address that containers reach`,
    'for kind, take what "kind get kubeconfig --internal" prints, and put the services into the network kind',
    `else https://host.docker.internal:${port}, with tls-server-name in the kubeconfig where the server's certificate is not for that name`,
  ].join("; ");
}

/** The program that issues credentials: a client-go plugin, or one of the older auth providers. */
function programOf({ user }: KubeconfigTarget): unknown {
  const exec = user?.fields.exec;
  if (typeof exec === "object" && exec !== null) return dig(exec, "command") ?? "without a name";
  return dig(user?.fields["auth-provider"], "config", "cmd-path");
}

/**
 * What in an otherwise valid kubeconfig cannot work in a container, and what to do instead.
 * Resolves no name and opens no connection.
 */
export function containerFaults(target: KubeconfigTarget): string[] {
  const faults: string[] = [];
  const address = addressFault(target);
  if (address !== undefined) faults.push(address);
  const program = programOf(target);
  if (program !== undefined) {
    const { user, cluster } = target;
    faults.push(
      `user "${user?.name}" of the kubeconfig ${user?.file ?? cluster.file} gets credentials from the program ${String(program)}, which is not in the image: take a kubeconfig with a token or a client certificate`,
    );
  }
  return faults;
}
