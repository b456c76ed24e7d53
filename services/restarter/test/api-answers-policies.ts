import { addPolicy } from "@rollcast/testkit/admission-policy";
import { startAdmissionWebhook } from "@rollcast/testkit/admission-webhook";
import { daemonSet } from "@rollcast/testkit/shapes";
import { ApiError } from "@rollcast/testkit/test-api";
import type { Api } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import type { Place, Subject } from "./api-answer.ts";

/** Only tries an edit of the workload's template. */
export function tryEdit(asRestarter: Api, path: string): Promise<unknown> {
  return asRestarter.call({
    method: "PATCH",
    path: `${path}?dryRun=All`,
    body: { spec: { template: { metadata: { annotations: { probe: "x" } } } } },
    contentType: "application/merge-patch+json",
  });
}

/** Only tries to put a Job among the active ones of a CronJob. */
function tryActive(asRestarter: Api, path: string): Promise<unknown> {
  return asRestarter.call({
    method: "PATCH",
    path: `${path}/status?dryRun=All`,
    body: { status: { active: [{ kind: "Job", name: "probe" }] } },
    contentType: "application/merge-patch+json",
  });
}

/** Waits until such a write is answered so. */
async function waitAnswer(
  asRestarter: Api,
  { path }: Subject,
  text: string,
  tryWrite = tryEdit,
): Promise<void> {
  const isAnswered = () =>
    tryWrite(asRestarter, path).then(
      () => false,
      (err: unknown) => err instanceof ApiError && err.message.includes(text),
    );
  await waitFor(isAnswered, { message: `the answer ${text}`, every: 100 });
}

/** What a policy denies: writes that do not leave it so. */
const DENIED = {
  templates: {
    resources: { group: "apps", plural: "deployments" },
    isLeft: "object.spec.template == oldObject.spec.template",
    tryWrite: tryEdit,
  },
  active: {
    resources: { group: "batch", plural: "cronjobs/status" },
    isLeft: "!has(object.status.active)",
    tryWrite: tryActive,
  },
};

/** A policy that denies writes of one workload, with one of the API's reasons. */
export async function deny(
  what: keyof typeof DENIED,
  subject: Subject,
  { asRestarter }: Place,
  policy: { readonly name: string; readonly reason: string; readonly message: string },
): Promise<AsyncDisposable> {
  const { api, namespace, name } = subject;
  const { reason, message } = policy;
  const { resources, isLeft, tryWrite } = DENIED[what];
  const expression = `object.metadata.name != '${name}' || ${isLeft}`;
  const denial = await addPolicy(api, {
    kind: "ValidatingAdmissionPolicy",
    name: `${policy.name}-${namespace}`,
    namespace,
    resources,
    operations: ["UPDATE"],
    spec: { validations: [{ expression, message, reason }] },
    binding: { validationActions: ["Deny"] },
  });
  await waitAnswer(asRestarter, subject, message, tryWrite);
  return denial;
}

/** A webhook that never answers, to which the API server listens for a second. */
export async function hang(
  subject: Subject,
  { cluster, asRestarter }: Place,
): Promise<AsyncDisposable> {
  const { namespace, name } = subject;
  const webhook = await startAdmissionWebhook(cluster, {
    name: "hangs.example.com",
    namespace,
    condition: `request.userInfo.username == 'restarter' && request.name == '${name}'`,
    timeoutSeconds: 1,
    review: () => new Promise(() => undefined),
  });
  await waitAnswer(asRestarter, subject, "failed calling webhook");
  return webhook;
}

/** Leaves patches of DaemonSets no room at the API server: it answers 429 by itself. */
export async function crowdOut(
  subject: Subject,
  { cluster, asRestarter }: Place,
): Promise<AsyncDisposable> {
  const { api, namespace, collection } = subject;
  const group = "flowcontrol.apiserver.k8s.io";
  const apiVersion = `${group}/v1`;
  const name = `none-${namespace}`;
  const levels = `/apis/${apiVersion}/prioritylevelconfigurations`;
  const schemas = `/apis/${apiVersion}/flowschemas`;
  await using undo = new AsyncDisposableStack();
  await api.create(levels, {
    apiVersion,
    kind: "PriorityLevelConfiguration",
    metadata: { name },
    spec: {
      type: "Limited",
      limited: {
        nominalConcurrencyShares: 0,
        lendablePercent: 0,
        borrowingLimitPercent: 0,
        limitResponse: { type: "Reject" },
      },
    },
  });
  undo.defer(() => api.remove(`${levels}/${name}`));
  await api.create(schemas, {
    apiVersion,
    kind: "FlowSchema",
    metadata: { name },
    spec: {
      matchingPrecedence: 100,
      priorityLevelConfiguration: { name },
      rules: [
        {
          subjects: [{ kind: "User", user: { name: "restarter" } }],
          resourceRules: [
            {
              apiGroups: ["apps"],
              resources: ["daemonsets"],
              verbs: ["patch"],
              namespaces: [namespace],
            },
          ],
        },
      ],
    },
  });
  undo.defer(() => api.remove(`${schemas}/${name}`));
  await api.create(collection, daemonSet(namespace, "first", { annotations: {} }));
  const entered = Promise.withResolvers<void>();
  const released = Promise.withResolvers<undefined>();
  const review = () => {
    entered.resolve();
    return released.promise;
  };
  const condition = "request.name == 'first' && request.userInfo.username == 'restarter'";
  const options = { name: "slow.example.com", namespace, condition, timeoutSeconds: 30, review };
  undo.use(await startAdmissionWebhook(cluster, options));
  const fill = async () => {
    const first = tryEdit(asRestarter, `${collection}/first`).then(() => false);
    return Promise.race([first, entered.promise.then(() => true)]);
  };
  // The webhook takes a moment to be in force, and so does the limit.
  await waitFor(fill, { message: "a patch to take the room" });
  undo.defer(() => released.resolve(undefined));
  await waitAnswer(asRestarter, subject, " 429 ");
  return undo.move();
}
