import { z } from "zod";
import { SourceKind } from "../events.ts";

const NAME = "[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?";
const PREFIX = "(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?";
const KEY = `${PREFIX}${NAME}`;
const VALUE = `(?:${NAME})?`;
const REQUIREMENT = new RegExp(
  [
    `^\\s*!?\\s*${KEY}\\s*$`,
    `^\\s*${KEY}\\s*(?:=|==|!=)\\s*${VALUE}\\s*$`,
    `^\\s*${KEY}\\s+(?:in|notin)\\s*\\(\\s*${VALUE}\\s*(?:,\\s*${VALUE}\\s*)*\\)\\s*$`,
    `^\\s*${KEY}\\s*[<>]\\s*\\d+\\s*$`,
  ].join("|"),
);

/**
 * What is wrong with a label selector, or undefined. Its requirements, joined by commas, are as
 * kubectl takes them: `app`, `!app`, `app=web`, `app!=web`, `app in (web, api)`, `app notin (web)`,
 * `n > 1`
 * (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors).
 */
export function selectorFault(selector: string): string | undefined {
  if (selector.trim() === "") return undefined;
  if (selector.length > 4_096) return "is longer than 4096 characters";
  for (const part of selector.split(/,(?![^(]*\))/)) {
    if (REQUIREMENT.test(part)) continue;
    const hint = /^[^:=]+(?::|=\s*\*)/.test(part)
      ? ": write key=value, or only key where any value will do"
      : "";
    return `"${part.trim().slice(0, 80)}" is not a requirement of a label selector${hint}`;
  }
  return undefined;
}

/** A label selector; empty: no restriction. */
export const Selector = z
  .string()
  .default("")
  .superRefine((selector, ctx) => {
    const message = selectorFault(selector);
    if (message !== undefined) ctx.addIssue({ code: "custom", message });
  })
  .transform((selector) => selector.trim());

export const Namespace = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be a namespace name");

/** The `scope:` part of rollcast.yaml: which namespaces and objects Rollcast looks at. */
export const Scope = z
  .strictObject({
    /** Only these namespaces, with namespaced permissions; empty: all. */
    namespaces: z.array(Namespace).max(1_000).default([]),
    /**
     * Only namespaces with these labels, as they are at any time. Not together with `namespaces`.
     */
    namespaceSelector: Selector,
    /** Never these namespaces. Not together with `namespaces`. */
    ignoreNamespaces: z.array(Namespace).max(100).default([]),
    /** Only ConfigMaps and Secrets with these labels. */
    resourceSelector: Selector,
    /** Kinds of sources that are not watched at all. */
    ignoreKinds: z.array(SourceKind).default([]),
  })
  .superRefine((scope, ctx) => {
    if (scope.namespaces.length > 0) {
      for (const key of ["namespaceSelector", "ignoreNamespaces"] as const) {
        if (scope[key].length === 0) continue;
        const message = "cannot be used together with namespaces, which is exact already";
        ctx.addIssue({ code: "custom", path: [key], message });
      }
    }
    if (SourceKind.options.every((kind) => scope.ignoreKinds.includes(kind))) {
      const message = "leaves no kind of source to watch";
      ctx.addIssue({ code: "custom", path: ["ignoreKinds"], message });
    }
  });
export type Scope = z.infer<typeof Scope>;
