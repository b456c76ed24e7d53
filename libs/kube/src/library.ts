/**
 * The client library, loaded where a kubeconfig is used: a pod does without. Nothing else imports
 * it.
 */
export const loadLibrary = () => import("@kubernetes/client-node");
export type { KubeConfig } from "@kubernetes/client-node";
