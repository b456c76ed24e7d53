import type { Fault } from "@rollcast/testkit/fault-proxy";
import type { AdmissionRequest, AdmissionDenial } from "@rollcast/testkit/admission-webhook";
import type { ClusterHandle } from "@rollcast/testkit/harness/harness-types";
import type { Api } from "@rollcast/testkit/test-api";

/** A workload that meets an answer. */
export type Subject = {
  /** As an administrator, past the proxy and the webhooks. */
  readonly api: Api;
  readonly namespace: string;
  readonly name: string;
  /** Of the object, and of the collection it is in. */
  readonly path: string;
  readonly collection: string;
};

/** Where it is; `asRestarter` asks the API server as the restarter does, past the proxy. */
export type Place = { readonly cluster: ClusterHandle; readonly asRestarter: Api };

type Must =
  /** Failed, once and with these words, and tried later. */
  | { readonly do: "fail"; readonly reason: string; readonly message: string }
  /** Tried until it is done: only the rollout is reported. */
  | { readonly do: "retry" }
  /** Decided again, with these events in the end. */
  | { readonly do: "decide"; readonly words: readonly string[] }
  /** The Job that was made is followed to its end, whatever becomes of the CronJob's status. */
  | {
      readonly do: "follow";
      /** Among the active Jobs of the CronJob. */
      readonly listed: boolean;
      /** A warning says that it may not be. */
      readonly warned: boolean;
      readonly end: "succeeded" | "failed" | "cancelled";
      readonly reason: RegExp;
    };

/** An answer to one of the restarter's requests, and what must become of the rollout. */
export type Answer = {
  /** Of the workload; the source has it too, and so have the Jobs of a CronJob in their names. */
  readonly name: string;
  readonly kind?: "Deployment" | "DaemonSet" | "StatefulSet" | "CronJob" | "Job";
  /** `last`: a queue whose first try is the last. */
  readonly queue?: "last";
  /** Default PATCH. */
  readonly method?: "GET" | "PATCH" | "POST" | "DELETE";
  /** The request is for this part of a CronJob, which runs one Job at a time. */
  readonly part?: "status";
  readonly podAnnotations?: Readonly<Record<string, string>>;
  /** By the proxy in front of the API server. Of POST: of every one in the namespace. */
  readonly fault?: Fault;
  /** By the platform's webhook, to the request of this method. */
  readonly webhook?: (
    subject: Subject,
    request: AdmissionRequest,
  ) => Promise<AdmissionDenial | undefined> | AdmissionDenial;
  /** How it comes about otherwise; disposal lifts it. */
  readonly begin?: (subject: Subject, place: Place) => Promise<AsyncDisposable>;
  /** So often the request must have been sent before the answer is lifted. */
  readonly tries: number;
  readonly must: Must;
};
