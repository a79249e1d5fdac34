{{- define "waypost.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "waypost.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "waypost.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "waypost.selectorLabels" -}}
app.kubernetes.io/name: {{ include "waypost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "waypost.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: waypost
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "waypost.labels" -}}
{{ include "waypost.selectorLabels" . }}
{{ include "waypost.commonLabels" . }}
{{- end -}}

{{- define "waypost.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "waypost.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* Call with (dict "image" .Values.image "root" $). A digest wins over a tag. */ -}}
{{- define "waypost.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default .root.Chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "waypost.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "waypost.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end -}}

{{- define "waypost.scheduling" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What the operator may do in the namespaces it serves; tests/charts/test_rbac.py has the
reason for every verb. Secrets are not among them. */ -}}
{{- define "waypost.operatorRules" -}}
- apiGroups: [waypost.dev]
  resources: [agentworkflows]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [waypost.dev]
  resources: [agentworkflows/status]
  verbs: [patch]
- apiGroups: [waypost.dev]
  resources: [agentworkflows/finalizers]
  verbs: [update]
- apiGroups: [waypost.dev]
  resources: [agentworkflowtemplates, agentworkflowschedules]
  verbs: [get, list, watch]
- apiGroups: [waypost.dev]
  resources: [agentworkflowtemplates/status, agentworkflowschedules/status]
  verbs: [patch]
- apiGroups: [waypost.dev]
  resources: [eventsources]
  verbs: [get, list, watch]
- apiGroups: [waypost.dev]
  resources: [eventsources/status]
  verbs: [patch]
- apiGroups: [waypost.dev]
  resources: [workflowevents]
  verbs: [get, list, watch, delete]
- apiGroups: [waypost.dev]
  resources: [workflowevents/status]
  verbs: [patch]
- apiGroups: [waypost.dev]
  resources: [memoryentries]
  verbs: [get, list, watch, create, delete]
- apiGroups: [waypost.dev]
  resources: [memoryentries/status]
  verbs: [patch]
- apiGroups: [waypost.dev]
  resources: [approvals]
  verbs: [get, list, watch, create]
- apiGroups: [waypost.dev]
  resources: [approvals/status]
  verbs: [patch]
- apiGroups: [waypost.dev]
  resources: [noderecords]
  verbs: [get, list, create, delete]
- apiGroups: [waypost.dev]
  resources: [modelproviders, toolservers]
  verbs: [get, list, watch]
- apiGroups: [waypost.dev]
  resources: [modelproviders/status, toolservers/status]
  verbs: [patch]
- apiGroups: [waypost.dev]
  resources: [modelproviders/finalizers, toolservers/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch, delete]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create]
# Claims of runs (volumeClaims). They are deleted with their run, by the garbage collector.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, create]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [create]
# Policies of isolation.egress. Their names follow from their content, so no resourceNames.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, create, delete]
# Why a queue of Kueue holds the Job of an attempt.
- apiGroups: [kueue.x-k8s.io]
  resources: [workloads]
  verbs: [list]
# Slots of concurrency. Their names follow from keys that are not known before, so no resourceNames.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, create, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [list, create]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end -}}

{{- define "waypost.leaseName" -}}
{{ include "waypost.fullname" . }}-operator
{{- end -}}

{{- define "waypost.gatewayName" -}}
{{ include "waypost.fullname" . }}-gateway
{{- end -}}

{{- define "waypost.gatewaySelectorLabels" -}}
app.kubernetes.io/name: {{ include "waypost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "waypost.gatewayLabels" -}}
{{ include "waypost.gatewaySelectorLabels" . }}
{{ include "waypost.commonLabels" . }}
{{- end -}}

{{- /* What the gateway may do in the namespaces that are served. */ -}}
{{- define "waypost.gatewayRules" -}}
- apiGroups: [waypost.dev]
  resources: [agentworkflows]
  verbs: [get]
- apiGroups: [waypost.dev]
  resources: [noderecords]
  verbs: [get, create]
- apiGroups: [""]
  resources: [pods]
  verbs: [get]
{{- end -}}

{{- define "waypost.modelsName" -}}
{{ include "waypost.fullname" . }}-models
{{- end -}}

{{- define "waypost.modelsSelectorLabels" -}}
app.kubernetes.io/name: {{ include "waypost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: models
{{- end -}}

{{- define "waypost.modelsLabels" -}}
{{ include "waypost.modelsSelectorLabels" . }}
{{ include "waypost.commonLabels" . }}
{{- end -}}

{{- /* What the model gateway may do in the namespaces that are served. Roles of these namespaces let it
read the Secrets and ConfigMaps of a provider or tool server by their names; the chart makes none. */ -}}
{{- define "waypost.modelsRules" -}}
- apiGroups: [waypost.dev]
  resources: [agentworkflows, modelproviders, noderecords, toolservers]
  verbs: [get]
- apiGroups: [""]
  resources: [pods]
  verbs: [get]
{{- end -}}

{{- /* SelfSigned or CertManager; empty without TLS. YAML reads Off without quotes as false. */ -}}
{{- define "waypost.tls" -}}
{{- if and .Values.tls.mode (ne (toString .Values.tls.mode) "Off") -}}
{{- if and (eq .Values.tls.mode "CertManager") (not .Values.tls.issuerRef.name) -}}
{{- fail "tls.mode CertManager needs tls.issuerRef.name: the Issuer or ClusterIssuer of the certificates" -}}
{{- end -}}
{{- .Values.tls.mode -}}
{{- end -}}
{{- end -}}

{{- /* Whether there is a gateway that uses TLS. */ -}}
{{- define "waypost.usesTls" -}}
{{- if and (include "waypost.tls" .) (or .Values.gateway.enabled .Values.modelGateway.enabled) }}true{{ end -}}
{{- end -}}

{{- /* The Secret with the CAs that pods trust. With CertManager one issuer has issued both certificates. */ -}}
{{- define "waypost.trustName" -}}
{{- if eq (include "waypost.tls" .) "SelfSigned" -}}
{{ include "waypost.caName" . }}
{{- else if .Values.gateway.enabled -}}
{{ include "waypost.gatewayName" . }}-tls
{{- else -}}
{{ include "waypost.modelsName" . }}-tls
{{- end -}}
{{- end -}}

{{- define "waypost.caName" -}}
{{ include "waypost.fullname" . }}-ca
{{- end -}}

{{- /* The base URL of a gateway, as pods reach it. Call with (dict "name" NAME "values" VALUES "root" $). */ -}}
{{- define "waypost.gatewayUrl" -}}
{{- $tls := include "waypost.tls" .root -}}
{{- $host := .values.clusterIP | default (printf "%s.%s.svc" .name .root.Release.Namespace) -}}
{{- if $tls }}https://{{ $host }}:8443{{ else }}http://{{ $host }}:8080{{ end -}}
{{- end -}}

{{- /* Settings of the TLS of a gateway. Call with (dict "name" NAME "port" VARIABLE "root" $). */ -}}
{{- define "waypost.tlsEnv" -}}
{{- $tls := include "waypost.tls" .root -}}
- name: {{ .port }}
  value: {{ ternary "8443" "8080" (ne $tls "") | quote }}
{{- if eq $tls "SelfSigned" }}
- name: WAYPOST_TLS_SECRET
  value: {{ include "waypost.caName" .root }}
- name: WAYPOST_TLS_NAMESPACE
  value: {{ .root.Release.Namespace }}
- name: WAYPOST_TLS_NAME
  value: {{ .name }}.{{ .root.Release.Namespace }}.svc
{{- else if $tls }}
- name: WAYPOST_TLS_FILES
  value: /waypost/tls
{{- end }}
{{- if and $tls .root.Values.tls.acceptPlain }}
- name: WAYPOST_PLAIN_PORT
  value: "8080"
{{- end }}
{{- end -}}

{{- /* The ports of the container of a gateway. Call with (dict "port" NAME "root" $). */ -}}
{{- define "waypost.tlsPorts" -}}
{{- $tls := include "waypost.tls" .root -}}
- name: {{ .port }}
  containerPort: {{ ternary 8443 8080 (ne $tls "") }}
{{- if and $tls .root.Values.tls.acceptPlain }}
- name: plain
  containerPort: 8080
{{- end }}
{{- end -}}

{{- /* The ports of the Service of a gateway. Numbers: during an upgrade the pods from before are behind it
too. Call as waypost.tlsPorts. */ -}}
{{- define "waypost.tlsServicePorts" -}}
{{- $tls := include "waypost.tls" .root -}}
{{- if $tls }}
- name: {{ .port }}
  port: 8443
  targetPort: 8443
{{- if .root.Values.tls.acceptPlain }}
- name: plain
  port: 8080
  targetPort: 8080
{{- end }}
{{- else }}
- name: {{ .port }}
  port: 8080
  targetPort: {{ .port }}
{{- end }}
{{- end -}}

{{- define "waypost.uiName" -}}
{{ include "waypost.fullname" . }}-ui
{{- end -}}

{{- define "waypost.uiSelectorLabels" -}}
app.kubernetes.io/name: {{ include "waypost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: ui
{{- end -}}

{{- define "waypost.uiLabels" -}}
{{ include "waypost.uiSelectorLabels" . }}
{{ include "waypost.commonLabels" . }}
{{- end -}}

{{- define "waypost.ingressName" -}}
{{ include "waypost.fullname" . }}-ingress
{{- end -}}

{{- define "waypost.ingressSelectorLabels" -}}
app.kubernetes.io/name: {{ include "waypost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: ingress
{{- end -}}

{{- define "waypost.ingressLabels" -}}
{{ include "waypost.ingressSelectorLabels" . }}
{{ include "waypost.commonLabels" . }}
{{- end -}}

{{- /* What the ingress may do in the namespaces that are served. It may create no runs. Roles of these
namespaces let it read the Secrets of EventSources by their names; the chart makes none. */ -}}
{{- define "waypost.ingressRules" -}}
- apiGroups: [waypost.dev]
  resources: [eventsources]
  verbs: [list]
- apiGroups: [waypost.dev]
  resources: [workflowevents]
  verbs: [get, create]
{{- end -}}

{{- define "waypost.archiveName" -}}
{{ include "waypost.fullname" . }}-archive
{{- end -}}

{{- define "waypost.archiveSelectorLabels" -}}
app.kubernetes.io/name: {{ include "waypost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: archive
{{- end -}}

{{- define "waypost.archiveLabels" -}}
{{ include "waypost.archiveSelectorLabels" . }}
{{ include "waypost.commonLabels" . }}
{{- end -}}

{{- /* What the archive may do in the namespaces that are served: read what it keeps, and write the
condition Archived. A policy refuses it any other change of a status. */ -}}
{{- define "waypost.archiveRules" -}}
- apiGroups: [waypost.dev]
  resources: [agentworkflows, noderecords]
  verbs: [get, list]
- apiGroups: [waypost.dev]
  resources: [approvals]
  verbs: [list]
- apiGroups: [waypost.dev]
  resources: [agentworkflows/status]
  verbs: [patch]
{{- end -}}

{{- define "waypost.notifierName" -}}
{{ include "waypost.fullname" . }}-notifier
{{- end -}}

{{- define "waypost.notifierSelectorLabels" -}}
app.kubernetes.io/name: {{ include "waypost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: notifier
{{- end -}}

{{- define "waypost.notifierLabels" -}}
{{ include "waypost.notifierSelectorLabels" . }}
{{ include "waypost.commonLabels" . }}
{{- end -}}

{{- /* What the notifier may do in the namespaces that are served. */ -}}
{{- define "waypost.notifierRules" -}}
- apiGroups: [waypost.dev]
  resources: [agentworkflows, approvals, agentworkflowschedules]
  verbs: [list, watch]
{{- end -}}

{{- define "waypost.admissionName" -}}
{{ include "waypost.fullname" . }}-admission
{{- end -}}

{{- define "waypost.admissionSelectorLabels" -}}
app.kubernetes.io/name: {{ include "waypost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: admission
{{- end -}}

{{- define "waypost.admissionLabels" -}}
{{ include "waypost.admissionSelectorLabels" . }}
{{ include "waypost.commonLabels" . }}
{{- end -}}

{{- /* One webhook of the configuration, for one resource. Call with (dict "root" $ "resource" PLURAL
"operations" LIST "failure" POLICY "conditions" LIST). */ -}}
{{- define "waypost.admissionWebhook" -}}
- name: {{ .resource }}.names.waypost.dev
  admissionReviewVersions: [v1]
  clientConfig:
    service:
      name: {{ include "waypost.admissionName" .root }}
      namespace: {{ .root.Release.Namespace }}
      path: /v1/names
      port: 443
  rules:
    - apiGroups: [waypost.dev]
      apiVersions: ["*"]
      operations: {{ toJson .operations }}
      resources: [{{ .resource }}]
      scope: Namespaced
  {{- with .root.Values.watchNamespaces }}
  namespaceSelector:
    matchExpressions:
      - key: kubernetes.io/metadata.name
        operator: In
        values:
          {{- toYaml . | nindent 10 }}
  {{- end }}
  matchConditions:
    {{- toYaml .conditions | nindent 4 }}
  failurePolicy: {{ .failure }}
  matchPolicy: Equivalent
  reinvocationPolicy: IfNeeded
  sideEffects: None
  timeoutSeconds: 3
{{- end -}}

{{- define "waypost.cleanupRules" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, patch]
- apiGroups: [waypost.dev]
  resources: [agentworkflows]
  verbs: [list, patch]
{{- end -}}

{{- define "waypost.cleanupLabels" -}}
app.kubernetes.io/name: {{ include "waypost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: cleanup
{{ include "waypost.commonLabels" . }}
{{- end -}}

{{- /* Call with the weight. What failed stays, to be read, until the next try. */ -}}
{{- define "waypost.cleanupHook" -}}
helm.sh/hook: post-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{- /* {cpu: 50m, memory: 64Mi} as cpu=50m,memory=64Mi. */ -}}
{{- define "waypost.pairs" -}}
{{- $pairs := list -}}
{{- range $name, $quantity := . -}}
{{- $pairs = append $pairs (printf "%s=%v" $name $quantity) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}

{{- /* User names of the accounts of this release, as the API server has them. */ -}}
{{- define "waypost.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "waypost.serviceAccountName" . }}
{{- end -}}

{{- define "waypost.gatewayUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "waypost.gatewayName" . }}
{{- end -}}

{{- define "waypost.modelsUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "waypost.modelsName" . }}
{{- end -}}

{{- define "waypost.ingressUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "waypost.ingressName" . }}
{{- end -}}

{{- define "waypost.archiveUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "waypost.archiveName" . }}
{{- end -}}

{{- define "waypost.notifierUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "waypost.notifierName" . }}
{{- end -}}

{{- define "waypost.cleanupUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "waypost.fullname" . }}-cleanup
{{- end -}}

{{- /* Controllers of Kubernetes that remove what is left: they change owners and finalizers. The last
name is that of a controller manager without an account for each controller. */ -}}
{{- define "waypost.collectors" -}}
['system:serviceaccount:kube-system:generic-garbage-collector', 'system:serviceaccount:kube-system:namespace-controller', 'system:serviceaccount:kube-system:storage-version-migrator-controller', 'system:kube-controller-manager']
{{- end -}}

{{- /* A binding that denies; with "stamp" VERSION, one of a policy that fills in names. Call with (dict
"name" NAME "root" $ "everywhere" BOOLEAN): without `everywhere` it holds in the namespaces that are served. */ -}}
{{- define "waypost.policyBinding" -}}
apiVersion: admissionregistration.k8s.io/{{ .stamp | default "v1" }}
kind: {{ if .stamp }}Mutating{{ else }}Validating{{ end }}AdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "waypost.policyLabels" .root | nindent 4 }}
spec:
  policyName: {{ .name }}
  {{- if not .stamp }}
  validationActions: [Deny]
  {{- end }}
  {{- if and .root.Values.watchNamespaces (not .everywhere) }}
  matchResources:
    namespaceSelector:
      matchExpressions:
        - key: kubernetes.io/metadata.name
          operator: In
          values:
            {{- toYaml .root.Values.watchNamespaces | nindent 12 }}
  {{- end }}
{{- end -}}

{{- /* What fills in names: the version of MutatingAdmissionPolicy, or Webhook; empty if nothing does. */ -}}
{{- define "waypost.stamp" -}}
{{- $stamp := .Values.identity.stamp -}}
{{- $served := "" -}}
{{- range list "v1beta1" "v1" -}}
{{- if $.Capabilities.APIVersions.Has (printf "admissionregistration.k8s.io/%s/MutatingAdmissionPolicy" .) -}}
{{- $served = . -}}
{{- end -}}
{{- end -}}
{{- if and (has $stamp (list "Policy" "Webhook")) (not .Values.policies.admission) -}}
{{- fail (printf "identity.stamp: %s needs policies.admission=true: a name that nothing checks is not proof" $stamp) -}}
{{- end -}}
{{- if and (eq $stamp "Policy") (not $served) -}}
{{- fail "identity.stamp: Policy needs an API server that serves MutatingAdmissionPolicy: Kubernetes 1.36, or 1.34 with --feature-gates=MutatingAdmissionPolicy=true and --runtime-config=admissionregistration.k8s.io/v1beta1=true; helm template needs --api-versions admissionregistration.k8s.io/v1/MutatingAdmissionPolicy. Or use Auto, Webhook or None" -}}
{{- end -}}
{{- if eq $stamp "Webhook" -}}
Webhook
{{- else if eq $stamp "Policy" -}}
{{- $served -}}
{{- else if and (eq $stamp "Auto") .Values.policies.admission -}}
{{- $served | default "Webhook" -}}
{{- end -}}
{{- end -}}

{{- /* Version of MutatingAdmissionPolicy that fills in names; empty if something else or nothing does. */ -}}
{{- define "waypost.stampVersion" -}}
{{- $stamp := include "waypost.stamp" . -}}
{{- if ne $stamp "Webhook" -}}{{- $stamp -}}{{- end -}}
{{- end -}}

{{- /* Not empty if approvals.mode is Strict. */ -}}
{{- define "waypost.strict" -}}
{{- if eq .Values.approvals.mode "Strict" -}}
{{- if not .Values.policies.admission -}}
{{- fail "approvals.mode: Strict needs policies.admission=true: without the policies no answer can be verified" -}}
{{- end -}}
true
{{- end -}}
{{- end -}}

{{- define "waypost.policyLabels" -}}
app.kubernetes.io/name: {{ include "waypost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: policy
{{ include "waypost.commonLabels" . }}
{{- end -}}

{{- /* Rules of egress that both gateways need: names, and the API server. */ -}}
{{- define "waypost.basicEgress" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
- to:
    {{- range .Values.networkPolicy.apiServer.ranges }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- else }}
    - ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16, 100.100.100.200/32, 168.63.129.16/32]}
    - ipBlock: {cidr: "::/0", except: ["fe80::/10", "fd00:ec2::254/128"]}
    {{- end }}
  ports:
    {{- range .Values.networkPolicy.apiServer.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end -}}

{{- /* Where the gateway for payloads connects: the API server, and the object store. */ -}}
{{- define "waypost.gatewayEgress" -}}
{{- include "waypost.basicEgress" . }}
{{- with .Values.gateway.objectStore }}
{{- if .bucket }}
- to:
    - ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16, 100.100.100.200/32, 168.63.129.16/32]}
    - ipBlock: {cidr: "::/0", except: ["fe80::/10", "fd00:ec2::254/128"]}
  {{- if not .endpoint }}
  ports:
    - {protocol: TCP, port: 443}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Where the model gateway connects: the API server, public addresses, and listed networks. */ -}}
{{- define "waypost.modelsEgress" -}}
{{- include "waypost.basicEgress" . }}
{{- $four := list "0.0.0.0/8" "10.0.0.0/8" "100.64.0.0/10" "127.0.0.0/8" "168.63.129.16/32" "169.254.0.0/16" "172.16.0.0/12" "192.0.0.0/24" "192.168.0.0/16" "198.18.0.0/15" "224.0.0.0/4" "240.0.0.0/4" }}
{{- $six := list "::/96" "64:ff9b::/96" "64:ff9b:1::/48" "2002::/16" "fc00::/7" "fe80::/10" "ff00::/8" }}
{{- range .Values.networkPolicy.clusterRanges }}
{{- if contains ":" . }}{{ $six = append $six . }}{{ else }}{{ $four = append $four . }}{{ end }}
{{- end }}
- to:
    - ipBlock: {cidr: 0.0.0.0/0, except: {{ toJson $four }}}
    - ipBlock: {cidr: "::/0", except: {{ toJson $six }}}
    {{- range .Values.modelGateway.privateHosts }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
{{- end -}}
