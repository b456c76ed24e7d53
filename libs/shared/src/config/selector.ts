/** Whether labels satisfy a selector. */
export type CompiledSelector = (labels: Readonly<Record<string, string>>) => boolean;

const SET = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/;
const COMPARED = /^(\S+?)\s*([<>])\s*(\d+)$/;
const EQUAL = /^([^\s!=]+)\s*(==|=|!=)\s*(\S*)$/;

function requirement(text: string): CompiledSelector {
  const set = SET.exec(text);
  if (set !== null) {
    const [, key = "", operator, list = ""] = set;
    const values = new Set(list.split(",").map((value) => value.trim()));
    const isIn: CompiledSelector = (labels) =>
      values.has(labels[key] ?? "") && Object.hasOwn(labels, key);
    return operator === "in" ? isIn : (labels) => !isIn(labels);
  }
  const compared = COMPARED.exec(text);
  if (compared !== null) {
    const [, key = "", operator, bound = ""] = compared;
    return (labels) => {
      const value = /^-?\d+$/.test(labels[key] ?? "") ? BigInt(labels[key] ?? "") : undefined;
      if (value === undefined) return false;
      return operator === "<" ? value < BigInt(bound) : value > BigInt(bound);
    };
  }
  const equal = EQUAL.exec(text);
  if (equal !== null) {
    const [, key = "", operator, value] = equal;
    const isEqual: CompiledSelector = (labels) =>
      Object.hasOwn(labels, key) && labels[key] === value;
    return operator === "!=" ? (labels) => !isEqual(labels) : isEqual;
  }
  const key = text.replace(/^!\s*/, "");
  return text.startsWith("!")
    ? (labels) => !Object.hasOwn(labels, key)
    : (labels) => Object.hasOwn(labels, key);
}

/**
 * The selector that a text without a fault (`selectorFault`) means, as kubectl takes it: every
 * requirement must hold, none holds always; `!=` and `notin` hold too where the label is missing
 * (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors).
 */
export function labelSelector(text: string): CompiledSelector {
  const parts = text
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const requirements = parts.map(requirement);
  return (labels) => requirements.every((holds) => holds(labels));
}
