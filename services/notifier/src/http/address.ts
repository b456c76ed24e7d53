import ipaddr from "ipaddr.js";
import type { Security } from "@rollcast/shared/config/receivers";
import { AddressRefusedError } from "./address-refused-error.ts";

type Address = ReturnType<typeof ipaddr.process>;

function inCidr(address: Address, cidr: string): boolean {
  const [base, bits] = ipaddr.parseCIDR(cidr);
  // A range of mapped addresses (::ffff:10.0.0.0/104) means the IPv4 addresses in it.
  const range =
    base instanceof ipaddr.IPv6 && base.isIPv4MappedAddress() && bits >= 96
      ? ([base.toIPv4Address(), bits - 96] as const)
      : ([base, bits] as const);
  return address.kind() === range[0].kind() && address.match(range[0], range[1]);
}

/**
 * Why the notifier must not connect to an IP address, or undefined. Only public unicast addresses
 * are allowed, and those that the receiver's configuration lists. An IPv4 address inside an IPv6
 * address counts as IPv4; NAT64 and 6to4 addresses, which hide one, are refused.
 */
export function addressFault(ip: string, allowCidrs: readonly string[]): string | undefined {
  if (!ipaddr.isValid(ip)) return "is not an IP address";
  const address = ipaddr.process(ip);
  if (allowCidrs.some((cidr) => inCidr(address, cidr))) return undefined;
  const range = address.range();
  if (range === "unicast") return undefined;
  return `is in a range (${range}) that is not public: list it in security.allowCidrs if that is intended`;
}

/** The address when a URL's host is a literal address; undefined for a name. */
export function literalAddress(url: URL): string | undefined {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return ipaddr.IPv4.isValidFourPartDecimal(host) || ipaddr.IPv6.isValid(host) ? host : undefined;
}

/**
 * Checks the URL's scheme, port, user name and literal address; throws {@link AddressRefusedError}
 * when the receiver must not be sent to. The message names at most host and port, because path and
 * query may be a credential.
 */
export function checkUrl(url: URL, security: Security): void {
  const refuse = (why: string) => {
    throw new AddressRefusedError(`the URL of the receiver ${why}`);
  };
  if (url.protocol !== "https:" && !(url.protocol === "http:" && security.allowHttp)) {
    refuse("is not https: set security.allowHttp if plain http is intended");
  }
  if (url.username !== "" || url.password !== "") refuse("holds a user name or password");
  const fallback = url.protocol === "https:" ? 443 : 80;
  const port = url.port === "" ? fallback : Number(url.port);
  if (!security.allowedPorts.includes(port)) {
    refuse(`is on port ${port}: list it in security.allowedPorts if that is intended`);
  }
  const literal = literalAddress(url);
  if (literal === undefined) return;
  const fault = addressFault(literal, security.allowCidrs);
  if (fault !== undefined) refuse(`is at ${literal}, which ${fault}`);
}
