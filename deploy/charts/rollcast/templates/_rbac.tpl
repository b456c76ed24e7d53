{{/* Binds a role to a service account: in `namespace`, or in the whole cluster. */}}
{{- define "rollcast.binding" -}}
{{- $kind := ternary "Role" "ClusterRole" (hasKey . "namespace") -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ .role }}
  {{- if .namespace }}
  namespace: {{ .namespace }}
  {{- end }}
  labels: {{- include "rollcast.labels" (list .root .account) | nindent 4 }}
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: {{ $kind }}, name: {{ .role }} }
subjects:
  - kind: ServiceAccount
    name: {{ include "rollcast.fullname" .root }}-{{ .account }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}

{{/* What the watcher may do; given rollcast.yaml. It sees sources and changes nothing. */}}
{{- define "rollcast.watcherRules" -}}
{{- $ignored := default list .scope.ignoreKinds -}}
{{- $data := list -}}
{{- if not (has "ConfigMap" $ignored) }}{{ $data = append $data "configmaps" }}{{ end -}}
{{- if not (has "Secret" $ignored) }}{{ $data = append $data "secrets" }}{{ end -}}
{{- if $data }}
- { apiGroups: [""], resources: [{{ join ", " $data }}], verbs: [list, watch] }
{{- end }}
{{- if not (has "SecretProviderClass" $ignored) }}
- apiGroups: [secrets-store.csi.x-k8s.io]
  resources: [secretproviderclasspodstatuses, secretproviderclasses]
  verbs: [list, watch]
{{- end }}
{{- end -}}

{{/* What the restarter may do; given rollcast.yaml. It patches workloads and reads no source. */}}
{{- define "rollcast.restarterRules" -}}
{{- $ignored := default list .reload.ignoredWorkloadTypes -}}
{{- $apps := list -}}
{{- range list "deployments" "statefulsets" "daemonsets" -}}
{{- if not (has . $ignored) }}{{ $apps = append $apps . }}{{ end -}}
{{- end -}}
{{- if $apps }}
- { apiGroups: [apps], resources: [{{ join ", " $apps }}], verbs: [get, list, watch, patch] }
# What keeps the pods of a rollout from being ready, and which an OnDelete one leaves to their owner.
- { apiGroups: [""], resources: [pods], verbs: [list] }
{{- end }}
{{- $cronJobs := not (has "cronjobs" $ignored) -}}
{{- if $cronJobs }}
- { apiGroups: [batch], resources: [cronjobs], verbs: [get, list, watch, patch] }
# A Job that Rollcast has run is counted by a CronJob that runs one at a time.
- { apiGroups: [batch], resources: [cronjobs/status], verbs: [patch] }
{{- end }}
{{- if not (has "jobs" $ignored) }}
# New content runs a Job from a CronJob; a Job is deleted and created again.
- { apiGroups: [batch], resources: [jobs], verbs: [get, list, watch, create, delete] }
# Whether a Job that may not be created again lost its namespace too.
- { apiGroups: [""], resources: [namespaces], verbs: [get] }
{{- else if $cronJobs }}
- { apiGroups: [batch], resources: [jobs], verbs: [get, create] }
{{- end }}
{{- if not (has "rollouts" $ignored) }}
- { apiGroups: [argoproj.io], resources: [rollouts], verbs: [get, list, watch, patch] }
# The template of a Rollout may be one of these, by its name.
- { apiGroups: [""], resources: [podtemplates], verbs: [get] }
- { apiGroups: [apps], resources: [replicasets], verbs: [get] }
{{- end }}
{{- if not (has "deploymentconfigs" $ignored) }}
- { apiGroups: [apps.openshift.io], resources: [deploymentconfigs], verbs: [get, list, watch, patch] }
{{- end }}
{{- range default list .kinds }}
- { apiGroups: [{{ .group }}], resources: [{{ .plural }}], verbs: [get, list, watch, patch] }
{{- end }}
{{- $selectors := list (default dict .queueAnnotation).namespaceSelector -}}
{{- range default list .queues }}{{ $selectors = append $selectors (default dict .match).namespaceSelector }}{{ end -}}
{{- if compact $selectors }}
- { apiGroups: [""], resources: [namespaces], verbs: [list, watch] }
{{- end }}
- { apiGroups: [events.k8s.io], resources: [events], verbs: [create, list] }
{{- end -}}
