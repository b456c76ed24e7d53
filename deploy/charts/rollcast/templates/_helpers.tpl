{{- define "rollcast.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "rollcast.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "rollcast.name" . -}}
{{- if contains $name .Release.Name -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels of a part; (list . "watcher") */}}
{{- define "rollcast.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ include "rollcast.name" $ }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "rollcast.labels" -}}
{{- $ := index . 0 -}}
{{ include "rollcast.selector" . }}
app.kubernetes.io/part-of: rollcast
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version }}
{{- end -}}

{{/* The processes that run all the time, as an array: the three services, or the one that is all of them. */}}
{{- define "rollcast.processes" -}}
{{- ternary (list "all-in-one") (list "watcher" "restarter" "notifier") .Values.allInOne.enabled | toYaml -}}
{{- end -}}

{{/* The services in a process, as an array; a process of another kind, as a Job's, has none. */}}
{{- define "rollcast.servicesIn" -}}
{{- $all := list "watcher" "restarter" "notifier" -}}
{{- if eq . "all-in-one" }}{{ toYaml $all }}{{ else }}{{ has . $all | ternary (list .) list | toYaml }}{{ end -}}
{{- end -}}

{{- define "rollcast.usesKube" -}}
{{- $in := include "rollcast.servicesIn" . | fromYamlArray -}}
{{- if or (has "watcher" $in) (has "restarter" $in) -}}true{{- end -}}
{{- end -}}

{{- define "rollcast.usesRedis" -}}
{{- $in := include "rollcast.servicesIn" . | fromYamlArray -}}
{{- if or (has "restarter" $in) (has "notifier" $in) -}}true{{- end -}}
{{- end -}}

{{/* Name of a process in values.yaml. */}}
{{- define "rollcast.valuesKey" -}}
{{- ternary "allInOne" . (eq . "all-in-one") -}}
{{- end -}}

{{/* Name of a file of users or public keys, which are other ones in each shape; (list . "nats-users.conf") */}}
{{- define "rollcast.ofShape" -}}
{{- $file := index . 1 -}}
{{- ternary (regexReplaceAll "\\." $file "-all-in-one.") $file (index . 0).Values.allInOne.enabled -}}
{{- end -}}

{{/* Image of a service; (list . "watcher") */}}
{{- define "rollcast.image" -}}
{{- $ := index . 0 -}}{{- $service := index . 1 -}}
{{- $registry := default $.Values.image.registry $.Values.global.imageRegistry -}}
{{- $digest := get $.Values.image.digests $service -}}
{{- $name := printf "%s/%s-%s" $registry $.Values.image.repository $service -}}
{{- if $digest -}}{{ printf "%s@%s" $name $digest }}
{{- else -}}{{ printf "%s:%s" $name (default $.Chart.AppVersion $.Values.image.tag) }}{{- end -}}
{{- end -}}

{{- define "rollcast.credentials" -}}
{{- default (printf "%s-credentials" (include "rollcast.fullname" .)) .Values.credentials.existingSecret -}}
{{- end -}}

{{- define "rollcast.natsUrl" -}}
{{- if .Values.nats.enabled -}}
{{ ternary "tls" "nats" .Values.nats.tls.enabled }}://{{ include "rollcast.fullname" . }}-nats:4222
{{- else -}}
{{ required "nats.url is needed where nats.enabled is false" .Values.nats.url }}
{{- end -}}
{{- end -}}

{{- define "rollcast.redisUrl" -}}
{{- if .Values.redis.enabled -}}
{{ ternary "rediss" "redis" .Values.redis.tls.enabled }}://{{ include "rollcast.fullname" . }}-redis:6379
{{- else -}}
{{ required "redis.url is needed where redis.enabled is false" .Values.redis.url }}
{{- end -}}
{{- end -}}

{{/* Whether pods need the Secret of `credentials` at all. */}}
{{- define "rollcast.needsCredentials" -}}
{{- if or .Values.nats.enabled .Values.nats.nkeys .Values.redis.acl -}}true{{- end -}}
{{- end -}}

{{- define "rollcast.podSecurity" -}}
runAsNonRoot: true
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "rollcast.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "rollcast.pullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* TLS files of a bus part as rollcast.yaml names them; (list values "nats") */}}
{{- define "rollcast.tlsFiles" -}}
{{- $tls := index . 0 -}}{{- $dir := printf "/etc/rollcast/%s-tls" (index . 1) -}}
{{- if $tls.caSecret }}
ca: {{ $dir }}/ca.crt
{{- end }}
{{- if $tls.clientSecret }}
cert: {{ $dir }}/tls.crt
key: {{ $dir }}/tls.key
{{- end }}
{{- end -}}
