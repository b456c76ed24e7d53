{{/* rollcast.yaml: what the values under `rollcast` make of it, under `config`. */}}
{{- define "rollcast.config" -}}
{{- $r := .Values.rollcast -}}
{{- $nats := dict "url" (include "rollcast.natsUrl" .) -}}
{{- if .Values.nats.enabled }}{{ $_ := set $nats "replicas" .Values.nats.replicas }}{{ end -}}
{{- if or .Values.nats.enabled .Values.nats.nkeys }}{{ $_ := set $nats "nkey" (dict "file" "/etc/rollcast/identity/nats.nk") }}{{ end -}}
{{- $natsTls := include "rollcast.tlsFiles" (list .Values.nats.tls "nats") | fromYaml -}}
{{- if $natsTls }}{{ $_ := set $nats "tls" $natsTls }}{{ end -}}
{{- $redis := dict "url" (include "rollcast.redisUrl" .) -}}
{{- if .Values.redis.acl }}{{ $_ := set $redis "password" (dict "file" "/etc/rollcast/identity/redis") }}{{ end -}}
{{- $redisTls := include "rollcast.tlsFiles" (list .Values.redis.tls "redis") | fromYaml -}}
{{- if $redisTls }}{{ $_ := set $redis "tls" $redisTls }}{{ end -}}
{{- $ignoreKinds := list -}}
{{- if $r.ignoreConfigMaps }}{{ $ignoreKinds = append $ignoreKinds "ConfigMap" }}{{ end -}}
{{- if $r.ignoreSecrets }}{{ $ignoreKinds = append $ignoreKinds "Secret" }}{{ end -}}
{{- if not $r.enableCSIIntegration }}{{ $ignoreKinds = append $ignoreKinds "SecretProviderClass" }}{{ end -}}
{{- $scope := dict -}}
{{- if not $r.watchGlobally }}{{ $_ := set $scope "namespaces" $r.namespaces }}{{ end -}}
{{- if $r.ignoreNamespaces }}{{ $_ := set $scope "ignoreNamespaces" (splitList "," (nospace $r.ignoreNamespaces)) }}{{ end -}}
{{- if $r.namespaceSelector }}{{ $_ := set $scope "namespaceSelector" $r.namespaceSelector }}{{ end -}}
{{- if $r.resourceLabelSelector }}{{ $_ := set $scope "resourceSelector" $r.resourceLabelSelector }}{{ end -}}
{{- if $ignoreKinds }}{{ $_ := set $scope "ignoreKinds" $ignoreKinds }}{{ end -}}
{{- $strategies := dict "marker" "marker" "annotations" "reloader-annotations" "env-vars" "reloader-env-vars" -}}
{{- $reload := dict "auto" $r.autoReloadAll "onCreate" $r.reloadOnCreate "onDelete" $r.reloadOnDelete "strategy" (get $strategies $r.reloadStrategy) -}}
{{- $ignored := include "rollcast.ignoredWorkloadTypes" . | fromYamlArray -}}
{{- if $ignored }}{{ $_ := set $reload "ignoredWorkloadTypes" $ignored }}{{ end -}}
{{- if $r.custom_annotations }}{{ $_ := set $reload "annotations" $r.custom_annotations }}{{ end -}}
{{- $made := dict "apiVersion" "rollcast.dev/v1" "kind" "Config" "cluster" .Values.cluster "nats" $nats "redis" $redis "scope" $scope "reload" $reload "log" (dict "level" $r.logLevel) -}}
{{- mergeOverwrite $made (deepCopy .Values.config) | toYaml -}}
{{- end -}}

{{/* Kinds of workloads that the flags named like Reloader's leave out. */}}
{{- define "rollcast.ignoredWorkloadTypes" -}}
{{- $r := .Values.rollcast -}}
{{- $ignored := list -}}
{{- if $r.ignoreJobs }}{{ $ignored = append $ignored "jobs" }}{{ end -}}
{{- if $r.ignoreCronJobs }}{{ $ignored = append $ignored "cronjobs" }}{{ end -}}
{{- if not $r.isArgoRollouts }}{{ $ignored = append $ignored "rollouts" }}{{ end -}}
{{- if not $r.isOpenshift }}{{ $ignored = append $ignored "deploymentconfigs" }}{{ end -}}
{{- $ignored | toYaml -}}
{{- end -}}
