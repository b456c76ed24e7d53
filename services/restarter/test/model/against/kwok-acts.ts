import { endOfPod } from "../cluster/controllers/kubelet.ts";
import { controllerOf, isDeleting } from "../cluster/controllers/parts.ts";
import type { Act } from "../cluster/controllers/act.ts";
import type { ObjectStore } from "../cluster/object-store.ts";
import { refOf } from "../cluster/object.ts";
import type { KubeObject, Ref } from "../cluster/object.ts";

const by = { manager: "kwok" };

function markOf(pod: KubeObject): Ref {
  return { ...refOf(pod), kind: "HeldStatus", name: `pod-${pod.metadata.name}` };
}

function endLeavingMark(store: ObjectStore, pod: KubeObject): Act {
  const { kind, name, namespace = "" } = markOf(pod);
  const mark = { apiVersion: "model/v1", kind, metadata: { name, namespace } };
  const end = endOfPod(store, pod);
  return {
    name: `${end.name}, to be deleted once more`,
    run: () => {
      end.run();
      if (store.get(markOf(pod)) === undefined) store.create(mark, by);
    },
  };
}

function deleteAgain(store: ObjectStore, pod: KubeObject): Act {
  return {
    name: `kwok: delete ${pod.metadata.name} once more`,
    run: () => {
      store.remove(markOf(pod));
      store.remove(refOf(pod));
    },
  };
}

/**
 * kwok deletes a pod by its name, and may do so twice: the second deletion then hits the new pod of
 * a StatefulSet, which has the same name. No kubelet does that, so it is no part of the model.
 */
export function kwokActs(store: ObjectStore): Act[] {
  return store
    .list("Pod")
    .filter((pod) => controllerOf(pod)?.kind === "StatefulSet")
    .flatMap((pod) => {
      if (isDeleting(pod)) return [endLeavingMark(store, pod)];
      return store.get(markOf(pod)) === undefined ? [] : [deleteAgain(store, pod)];
    });
}
