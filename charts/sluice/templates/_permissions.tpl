{{/*
What the operator may do in a namespace that it watches. Secrets are read by name: there is no list, so a leaked token cannot browse
them. Of a namespace it sees whether it is being deleted: nothing can be finished there then. Pods, Roles: nothing.
*/}}
{{- define "sluice.permissions" -}}
- apiGroups: [sluice.dev]
  resources: {{ include "sluice.resources" . }}
  verbs: [get, list, watch, update, patch]
- apiGroups: [sluice.dev]
  resources: {{ include "sluice.resources.status" . }}
  verbs: [get, update, patch]
- apiGroups: [sluice.dev]
  resources: {{ include "sluice.resources.finalizers" . }}
  verbs: [update]
{{- if and .Values.console.enabled (not .Values.console.expose) }}
# Whoever is let through to the pod redrives as the operator. Exposed, the console uses the user's own token instead.
- apiGroups: [sluice.dev]
  resources: [deadletterredrives]
  verbs: [create]
{{- end }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [monitoring.coreos.com]
  resources: [prometheusrules]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
