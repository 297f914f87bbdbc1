{{/*
A role and its binding to a component's service account. Takes a dict of root, component, role (ClusterRole or Role),
rules, namespace (of a Role) and suffix (of the name, where one namespace has two).
*/}}
{{- define "alo.granted" -}}
{{- $name := eq .role "Role" | ternary (include "alo.name" .) (include "alo.clusterName" .) }}
{{- if and .suffix (has .namespace .root.Values.watchNamespaces) }}
{{- $name = printf "%s%s" $name .suffix }}
{{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .role }}
metadata:
  name: {{ $name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "alo.labels" . | nindent 4 }}
rules:
  {{- toYaml .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .role }}Binding
metadata:
  name: {{ $name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "alo.labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .role }}
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "alo.serviceAccount" . }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}
