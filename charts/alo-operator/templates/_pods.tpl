{{/*
What both Deployments have in common. Each of these takes (dict "root" $ "component" "operator").
*/}}
{{- define "alo.deploymentSpec" -}}
replicas: {{ (index .root.Values .component).replicas }}
selector:
  matchLabels:
    {{- include "alo.selector" . | nindent 4 }}
strategy:
  rollingUpdate:
    maxSurge: 1
    maxUnavailable: 0
{{- end -}}

{{- define "alo.podMetadata" -}}
{{- $own := index .root.Values .component -}}
{{- /* No versions among them: a new chart alone is no reason to restart. */ -}}
labels:
  {{- include "alo.selector" . | nindent 2 }}
  {{- with merge (dict) $own.podLabels .root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  kubectl.kubernetes.io/default-container: {{ .component }}
  {{- with $own.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "alo.podSettings" -}}
{{- $own := index .root.Values .component -}}
serviceAccountName: {{ include "alo.serviceAccount" . }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.topologySpread.topologyKeys }}
topologySpreadConstraints:
  {{- range . }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $own.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "alo.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  {{- with .root.Values.runAsUser }}
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
terminationGracePeriodSeconds: 30
{{- end -}}

{{- define "alo.containerSettings" -}}
{{- $own := index .root.Values .component -}}
image: {{ include "alo.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
startupProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 5
{{- with $own.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
