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
