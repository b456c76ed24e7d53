import { FAILS, NEVER_READY } from "./kwok.ts";

const COMPLETES = {
  name: "pod-complete",
  fails: "DoesNotExist",
  exitCode: 0,
  reason: "Completed",
  phase: "Succeeded",
};

const FAILING = {
  name: "pod-fail",
  fails: "Exists",
  exitCode: 1,
  reason: "Error",
  phase: "Failed",
};

/** The stage of a Job's pod that ends as soon as it runs. */
function endOfPod({ name, fails, exitCode, reason, phase }: typeof COMPLETES): string {
  return `---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: { name: ${name} }
spec:
  resourceRef: { apiGroup: v1, kind: Pod }
  selector:
    matchExpressions:
      - { key: .metadata.deletionTimestamp, operator: DoesNotExist }
      - { key: .status.phase, operator: In, values: [Running] }
      - { key: '.metadata.ownerReferences.[].kind', operator: In, values: [Job] }
      - { key: '.metadata.annotations["${FAILS}"]', operator: ${fails} }
  next:
    statusTemplate: |
      {{ $now := Now }}
      {{ $root := . }}
      containerStatuses:
        {{ range $index, $item := .spec.containers }}
        {{ $origin := index $root.status.containerStatuses $index }}
        - image: {{ $item.image | Quote }}
          name: {{ $item.name | Quote }}
          ready: false
          restartCount: 0
          started: false
          state:
            terminated:
              exitCode: ${exitCode}
              finishedAt: {{ $now | Quote }}
              reason: ${reason}
              startedAt: {{ $now | Quote }}
        {{ end }}
      phase: ${phase}
`;
}

/**
 * How kwok plays nodes and pods: ready at once, complete or failed where their Job is done,
 * gone when deleted. https://kwok.sigs.k8s.io/docs/user/stages-configuration/
 */
export const STAGES = `apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: { name: node-initialize }
spec:
  resourceRef: { apiGroup: v1, kind: Node }
  selector:
    matchExpressions:
      - { key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: NotIn, values: ["True"] }
  next:
    statusTemplate: |
      {{ $now := Now }}
      conditions:
        - lastHeartbeatTime: {{ $now | Quote }}
          lastTransitionTime: {{ $now | Quote }}
          message: played by kwok
          reason: KubeletReady
          status: "True"
          type: Ready
      phase: Running
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: { name: pod-ready }
spec:
  resourceRef: { apiGroup: v1, kind: Pod }
  selector:
    matchExpressions:
      - { key: .metadata.deletionTimestamp, operator: DoesNotExist }
      - { key: .status.podIP, operator: DoesNotExist }
      - { key: '.metadata.annotations["${NEVER_READY}"]', operator: DoesNotExist }
  next:
    statusTemplate: |
      {{ $now := Now }}
      conditions:
        {{ if .spec.initContainers }}
        - { lastTransitionTime: {{ $now | Quote }}, status: "True", reason: PodCompleted, type: Initialized }
        {{ else }}
        - { lastTransitionTime: {{ $now | Quote }}, status: "True", type: Initialized }
        {{ end }}
        - { lastTransitionTime: {{ $now | Quote }}, status: "True", type: Ready }
        - { lastTransitionTime: {{ $now | Quote }}, status: "True", type: ContainersReady }
      containerStatuses:
        {{ range .spec.containers }}
        - image: {{ .image | Quote }}
          name: {{ .name | Quote }}
          ready: true
          restartCount: 0
          started: true
          state: { running: { startedAt: {{ $now | Quote }} } }
        {{ end }}
      hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
      podIP: {{ PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
      phase: Running
      startTime: {{ $now | Quote }}
${endOfPod(COMPLETES)}${endOfPod(FAILING)}---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: { name: pod-delete }
spec:
  resourceRef: { apiGroup: v1, kind: Pod }
  selector:
    matchExpressions:
      - { key: .metadata.deletionTimestamp, operator: Exists }
  next:
    finalizers: { empty: true }
    delete: true
`;

/** A pod whose node has come back is ready again: only the node lifecycle controller unmakes it. */
export const READY_AGAIN = `---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: { name: pod-ready-again }
spec:
  resourceRef: { apiGroup: v1, kind: Pod }
  selector:
    matchExpressions:
      - { key: .metadata.deletionTimestamp, operator: DoesNotExist }
      - { key: .status.phase, operator: In, values: [Running] }
      - { key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: In, values: ["False"] }
  next:
    statusTemplate: |
      {{ $now := Now }}
      conditions:
        - { lastTransitionTime: {{ $now | Quote }}, status: "True", type: Initialized }
        - { lastTransitionTime: {{ $now | Quote }}, status: "True", type: Ready }
        - { lastTransitionTime: {{ $now | Quote }}, status: "True", type: ContainersReady }
`;
