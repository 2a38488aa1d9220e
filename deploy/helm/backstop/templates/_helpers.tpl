{{- /* Names, labels, and what is read in the configuration. */ -}}

{{- define "backstop.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "backstop.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "backstop.labels" -}}
{{ include "backstop.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* The names of the Services, from this namespace and from others. */ -}}
{{- define "backstop.hosts" -}}
{{- $hosts := list -}}
{{- $name := include "backstop.name" . -}}
{{- range list $name (printf "%s-operators" $name) -}}
{{- $full := printf "%s.$(NAMESPACE)" . -}}
{{- $hosts = concat $hosts (list . $full (printf "%s.svc" $full) (printf "%s.svc.cluster.local" $full)) -}}
{{- end -}}
{{- concat $hosts .Values.hosts | join "," -}}
{{- end -}}

{{- /* A limit of the configuration in seconds: (list . "drain"). */ -}}
{{- define "backstop.seconds" -}}
{{- $values := (index . 0).Values -}}
{{- $name := index . 1 -}}
{{- $config := fromYaml $values.config -}}
{{- if hasKey $config "Error" -}}{{- fail (printf "config is no YAML: %s" $config.Error) -}}{{- end -}}
{{- $limits := $config.limits | default dict -}}
{{- $limit := get $limits $name | toString -}}
{{- if regexMatch "^[1-9][0-9]*s$" $limit -}}
{{- trimSuffix "s" $limit -}}
{{- else if regexMatch "^[1-9][0-9]*m$" $limit -}}
{{- mul 60 (trimSuffix "m" $limit | int) -}}
{{- else -}}
{{- fail (printf "config: write limits: {%s: ...} in whole seconds, such as 10s; or set terminationGracePeriodSeconds" $name) -}}
{{- end -}}
{{- end -}}

{{- define "backstop.grace" -}}
{{- if .Values.terminationGracePeriodSeconds -}}
{{- .Values.terminationGracePeriodSeconds -}}
{{- else -}}
{{- add (include "backstop.seconds" (list . "shutdown_delay") | int) (include "backstop.seconds" (list . "drain") | int) 15 -}}
{{- end -}}
{{- end -}}
