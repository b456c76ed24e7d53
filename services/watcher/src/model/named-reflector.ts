import type { Reflector } from "@rollcast/kube/reflector";

/** A reflector with the plural of its resource; `name` identifies it in health checks. */
export type NamedReflector = {
  readonly name: string;
  readonly resource: string;
  readonly reflector: Pick<Reflector, "fault" | "staleness">;
  /** It has an API of its own, which may be broken for days, and keeps no other from going on. */
  readonly optional?: true;
};

/** Why the own API of an optional resource fails. */
export function unavailable({ optional, reflector }: NamedReflector): string | undefined {
  const fault = optional === true ? reflector.fault() : undefined;
  return fault !== undefined && /^5\d\d /.test(fault) ? fault : undefined;
}
