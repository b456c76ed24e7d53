{{/* The Deployment of a process, with its PodDisruptionBudget; (list . "watcher") */}}
{{- define "rollcast.service" -}}
{{- $ := index . 0 -}}{{- $service := index . 1 -}}
{{- $v := get $.Values (include "rollcast.valuesKey" $service) -}}
{{- $name := printf "%s-%s" (include "rollcast.fullname" $) $service -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  namespace: {{ $.Release.Namespace }}
  labels: {{- include "rollcast.labels" . | nindent 4 }}
spec:
  replicas: {{ $v.replicas }}
  revisionHistoryLimit: 2
  # Replicas share the work and none leads: old and new may run side by side.
  strategy: { type: RollingUpdate, rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }
  selector:
    matchLabels: {{- include "rollcast.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "rollcast.selector" . | nindent 8 }}
        {{- with $v.podLabels }}{{ toYaml . | nindent 8 }}{{ end }}
      annotations:
        checksum/config: {{ include "rollcast.config" $ | sha256sum }}
        {{- with $v.podAnnotations }}{{ toYaml . | nindent 8 }}{{ end }}
    spec:
      {{- if include "rollcast.usesKube" $service }}
      serviceAccountName: {{ $name }}
      {{- else }}
      # It never talks to the Kubernetes API.
      automountServiceAccountToken: false
      {{- end }}
      enableServiceLinks: false
      {{- include "rollcast.pullSecrets" $ | nindent 6 }}
      {{- with $v.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      terminationGracePeriodSeconds: {{ $v.terminationGracePeriodSeconds }}
      securityContext: {{- include "rollcast.podSecurity" $ | nindent 8 }}
      containers:
        - name: {{ $service }}
          image: {{ include "rollcast.image" . }}
          imagePullPolicy: {{ $.Values.image.pullPolicy }}
          securityContext: {{- include "rollcast.containerSecurity" $ | nindent 12 }}
          env:
            - { name: ROLLCAST_CONFIG, value: /etc/rollcast/config/rollcast.yaml }
            - { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
            - { name: POD_NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }
            {{- if and (include "rollcast.usesRedis" $service) $.Values.redis.acl }}
            - name: ROLLCAST_REDIS_URL
              value: {{ include "rollcast.redisUrl" $ | replace "://" (printf "://%s@" $service) }}
            {{- end }}
            {{- with $v.env }}{{ toYaml . | nindent 12 }}{{ end }}
          {{- with $v.envFrom }}
          envFrom: {{- toYaml . | nindent 12 }}
          {{- end }}
          ports:
            - { name: http, containerPort: 8080 }
            {{- range include "rollcast.apiPorts" . | fromYamlArray }}
            - { name: {{ .name }}, containerPort: {{ .port }} }
            {{- end }}
          startupProbe: { httpGet: { path: /livez, port: http }, periodSeconds: 2, failureThreshold: 60, timeoutSeconds: 6 }
          livenessProbe: { httpGet: { path: /livez, port: http }, periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 6 }
          readinessProbe: { httpGet: { path: /readyz, port: http }, periodSeconds: 5, failureThreshold: 2, timeoutSeconds: 6 }
          {{- with $v.resources }}
          resources: {{- toYaml . | nindent 12 }}
          {{- end }}
          volumeMounts:
            {{- include "rollcast.mounts" . | nindent 12 }}
            {{- with $v.volumeMounts }}{{ toYaml . | nindent 12 }}{{ end }}
      volumes:
        {{- include "rollcast.volumes" . | nindent 8 }}
        {{- with $v.volumes }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- with $v.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $v.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $v.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        {{- if $v.topologySpreadConstraints }}
        {{- toYaml $v.topologySpreadConstraints | nindent 8 }}
        {{- else }}
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- include "rollcast.selector" (list $ $service) | nindent 14 }}
        {{- end }}
        {{- end }}
{{- if and $v.podDisruptionBudget.enabled (gt (int $v.replicas) 1) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  namespace: {{ $.Release.Namespace }}
  labels: {{- include "rollcast.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ $v.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels: {{- include "rollcast.selector" . | nindent 6 }}
{{- end }}
{{- end -}}

{{/* What a process of ours mounts; (list . "watcher"), also for the Jobs */}}
{{- define "rollcast.mounts" -}}
{{- $ := index . 0 -}}{{- $service := index . 1 -}}
# The folder, not the file: only so are changes seen inside.
- { name: config, mountPath: /etc/rollcast/config, readOnly: true }
{{- if include "rollcast.needsCredentials" $ }}
- { name: identity, mountPath: /etc/rollcast/identity, readOnly: true }
{{- end }}
{{- if or $.Values.nats.tls.caSecret $.Values.nats.tls.clientSecret }}
- { name: nats-tls, mountPath: /etc/rollcast/nats-tls, readOnly: true }
{{- end }}
{{- if and (include "rollcast.usesRedis" $service) (or $.Values.redis.tls.caSecret $.Values.redis.tls.clientSecret) }}
- { name: redis-tls, mountPath: /etc/rollcast/redis-tls, readOnly: true }
{{- end }}
{{- end -}}

{{- define "rollcast.volumes" -}}
{{- $ := index . 0 -}}{{- $service := index . 1 -}}
- name: config
  configMap: { name: {{ include "rollcast.fullname" $ }} }
{{- if include "rollcast.needsCredentials" $ }}
# Only this one's own keys of the Secret.
- name: identity
  secret:
    secretName: {{ include "rollcast.credentials" $ }}
    items:
      {{- if or $.Values.nats.enabled $.Values.nats.nkeys }}
      - { key: nats-{{ $service }}.nk, path: nats.nk }
      {{- end }}
      {{- if and $.Values.redis.acl (include "rollcast.usesRedis" $service) }}
      - { key: redis-{{ $service }}, path: redis }
      {{- end }}
{{- end }}
{{- if or $.Values.nats.tls.caSecret $.Values.nats.tls.clientSecret }}
- name: nats-tls
  {{- include "rollcast.tlsVolume" $.Values.nats.tls | nindent 2 }}
{{- end }}
{{- if and (include "rollcast.usesRedis" $service) (or $.Values.redis.tls.caSecret $.Values.redis.tls.clientSecret) }}
- name: redis-tls
  {{- include "rollcast.tlsVolume" $.Values.redis.tls | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "rollcast.tlsVolume" -}}
projected:
  sources:
    {{- if .caSecret }}
    - secret: { name: {{ .caSecret }}, items: [{ key: ca.crt, path: ca.crt }] }
    {{- end }}
    {{- if .clientSecret }}
    - secret: { name: {{ .clientSecret }}, items: [{ key: tls.crt, path: tls.crt }, { key: tls.key, path: tls.key }] }
    {{- end }}
{{- end -}}

{{/* Ports of the HTTP APIs in a process, where `config` has them, as an array; (list . "restarter") */}}
{{- define "rollcast.apiPorts" -}}
{{- $ := index . 0 -}}{{- $process := index . 1 -}}
{{- $default := dict "restarter" "0.0.0.0:8081" "notifier" "0.0.0.0:8082" -}}
{{- $ports := list -}}
{{- range $service := include "rollcast.servicesIn" $process | fromYamlArray -}}
{{- with (get $.Values.config $service | default dict).api -}}
{{- $port := .listen | default (get $default $service) | splitList ":" | last -}}
{{- range $ports -}}
{{- if eq .port $port }}{{ fail "where allInOne.enabled is true, config.restarter.api and config.notifier.api need ports of their own" }}{{ end -}}
{{- end -}}
{{- $name := eq $process $service | ternary "api" (printf "%s-api" $service) -}}
{{- $ports = append $ports (dict "name" $name "port" $port) -}}
{{- end -}}
{{- end -}}
{{- toYaml $ports -}}
{{- end -}}
