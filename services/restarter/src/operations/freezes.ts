import type { FreezeScope } from "@rollcast/shared/operation-events";
import { SubjectError } from "@rollcast/shared/subjects";
import { ROLLCAST, origin, untilText } from "./updater.ts";
import type { UpdaterOptions, Updater, By } from "./updater.ts";
import { freezeKey } from "../model/control-entry.ts";
import type { Freeze } from "../model/control-entry.ts";
import { OperationError } from "./operation-error.ts";

const MAX_COMMENT = 256;

function isOver(freeze: Freeze): boolean {
  return freeze.until !== undefined && freeze.until <= Date.now();
}

export function freezeOperations({ cluster, cache }: UpdaterOptions, updater: Updater) {
  const keyOf = (scope: FreezeScope) => {
    try {
      return freezeKey(cluster, scope);
    } catch (err) {
      if (!(err instanceof SubjectError)) throw err;
      throw new OperationError(
        "Invalid",
        "kind, namespace and name must be as Kubernetes has them",
      );
    }
  };
  const held = () =>
    [...cache.list()].map(({ value }) => value).filter((entry) => entry.type === "freeze");
  return {
    listFreezes: (): Freeze[] => held().filter((entry) => !isOver(entry)),
    async freeze(scope: FreezeScope, who: By & { readonly comment?: string }): Promise<Freeze> {
      const comment = who.comment?.slice(0, MAX_COMMENT);
      const freeze: Freeze = {
        v: 1,
        type: "freeze",
        scope,
        comment,
        ...origin(who),
      };
      const id = await updater.update(keyOf(scope), () => freeze);
      if (id !== undefined) {
        await updater.publishFreeze(id, "frozen", {
          scope,
          by: freeze.by,
          ...untilText(freeze.until),
          comment,
        });
      }
      return freeze;
    },
    async unfreeze(scope: FreezeScope, who: By): Promise<boolean> {
      const id = await updater.update(keyOf(scope), () => null);
      if (id === undefined) return false;
      await updater.publishFreeze(id, "unfrozen", { scope, by: origin(who).by });
      return true;
    },
    async expire(): Promise<void> {
      for (const { scope } of held().filter(isOver)) {
        const id = await updater.update(keyOf(scope), (entry) =>
          entry?.type === "freeze" && isOver(entry) ? null : undefined,
        );
        if (id === undefined) continue;
        await updater.publishFreeze(id, "unfrozen", { scope, by: ROLLCAST, reason: "Expired" });
      }
    },
  };
}
