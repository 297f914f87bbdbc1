{{/* What the names of all objects begin with. */}}
{{- define "alo.prefix" -}}
{{- if .Values.namePrefix -}}
{{ .Values.namePrefix }}
{{- else -}}
{{- $own := .Release.Name | trimSuffix "-operator" -}}
{{ contains "alo" $own | ternary $own (printf "%s-alo" $own) | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{/* The name of a component's objects. Takes (dict "root" $ "component" "operator"). */}}
{{- define "alo.name" -}}
{{ include "alo.prefix" .root }}-{{ .component }}
{{- end -}}

{{/* The same for objects outside namespaces: releases that look after some namespaces only may stand side by side. */}}
{{- define "alo.clusterName" -}}
{{ include "alo.name" . }}{{ if .root.Values.watchNamespaces }}-{{ .root.Release.Namespace }}{{ end }}
{{- end -}}

{{/* The components that are installed, with a space between. */}}
{{- define "alo.components" -}}
operator{{ if .Values.gateway.enabled }} gateway{{ end }}
{{- end -}}

{{- define "alo.serviceAccount" -}}
{{- $account := (index .root.Values .component).serviceAccount -}}
{{- $account.name | default ($account.create | ternary (include "alo.name" .) "default") -}}
{{- end -}}

{{/* Labels that select a component's pods; they never change. */}}
{{- define "alo.selector" -}}
app.kubernetes.io/name: alo-operator
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{/* Labels of every object; `component` may be absent. */}}
{{- define "alo.labels" -}}
{{- if .component -}}
{{ include "alo.selector" . }}
{{ else -}}
app.kubernetes.io/name: alo-operator
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{ end -}}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "alo.image" -}}
{{- $image := .Values.image -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}{{ with $image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{/* Where workers report: empty if nowhere. */}}
{{- define "alo.reportUrl" -}}
{{- if .Values.operator.reportUrl -}}
{{ .Values.operator.reportUrl }}
{{- else if .Values.gateway.enabled -}}
http{{ if .Values.gateway.tls.secretName }}s{{ end }}://{{ include "alo.name" (dict "root" . "component" "gateway") }}.{{ .Release.Namespace }}.svc:{{ .Values.gateway.service.port }}
{{- end -}}
{{- end -}}
