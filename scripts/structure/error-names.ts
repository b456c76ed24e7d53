import { Visitor, parseSync } from "oxc-parser";
import type { Class } from "oxc-parser";
import type { SourceText } from "./read-sources.ts";

function faultOf({ id, superClass, body }: Class): string | undefined {
  if (superClass?.type !== "Identifier" || !superClass.name.endsWith("Error")) return undefined;
  const name = id?.name ?? "a class without a name";
  if (!name.endsWith("Error")) return `${name} is an error, and its name does not end in Error`;
  for (const member of body.body) {
    if (member.type !== "PropertyDefinition" || member.key.type !== "Identifier") continue;
    if (member.key.name !== "name" || member.value?.type !== "Literal") continue;
    if (member.value.value !== name) return `${name} calls itself ${String(member.value.value)}`;
  }
  return undefined;
}

/** Each class of errors whose name does not end in `Error`, or that logs under another name. */
export function errorNameFaults(texts: readonly SourceText[]): string[] {
  return texts.flatMap(({ file, text }) => {
    const faults: string[] = [];
    const check = (node: Class) => {
      const fault = faultOf(node);
      if (fault !== undefined) faults.push(`${file}: ${fault}`);
    };
    const visitor = new Visitor({ ClassDeclaration: check, ClassExpression: check });
    visitor.visit(parseSync(file, text).program);
    return faults;
  });
}
