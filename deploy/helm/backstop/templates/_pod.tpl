{{- define "backstop.pod" -}}
serviceAccountName: {{ include "backstop.name" . }}
automountServiceAccountToken: false
# Variables of other Services would only be in the way.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
# More than limits.shutdown_delay and limits.drain together. On SIGTERM /readyz fails at once, so no preStop hook is needed.
terminationGracePeriodSeconds: {{ include "backstop.grace" . }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
containers:
  - name: backstop
    image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    env:
      - {name: BACKSTOP_CONFIG, value: /etc/backstop/backstop.yaml}
      - {name: BACKSTOP_LISTEN, value: "0.0.0.0:4000"}
      - {name: BACKSTOP_ADMIN_LISTEN, value: "0.0.0.0:4001"}
      - {name: BACKSTOP_STATE_DIR, value: /var/lib/backstop}
      - name: NAMESPACE
        valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
      - {name: BACKSTOP_HOSTS, value: {{ include "backstop.hosts" . | quote }}}
      {{- with .Values.env }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    ports:
      - {name: clients, containerPort: 4000}
      - {name: operators, containerPort: 4001}
    startupProbe:
      httpGet: {path: /readyz, port: operators}
      periodSeconds: 1
      failureThreshold: 60
    readinessProbe:
      httpGet: {path: /readyz, port: operators}
      periodSeconds: 2
      timeoutSeconds: 2
      failureThreshold: 2
    # A process that is busy is not dead: only one that answers nothing for half a minute is replaced.
    livenessProbe:
      httpGet: {path: /healthz, port: operators}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 3
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    volumeMounts:
      # Whole folders: single files of them (subPath) would never change.
      - {name: config, mountPath: /etc/backstop, readOnly: true}
      - {name: keys, mountPath: /run/secrets/backstop, readOnly: true}
      - {name: state, mountPath: /var/lib/backstop}
      {{- with .Values.volumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: config
    configMap: {name: {{ include "backstop.name" . }}}
  - name: keys
    secret: {secretName: {{ .Values.secret }}, defaultMode: 0440}
  {{- if not .Values.state.persistent }}
  - name: state
    emptyDir: {}
  {{- end }}
  {{- with .Values.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
# Not all on one node or in one zone, where there are several.
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "backstop.selector" $ | nindent 8 }}
    # Pods of a version that goes do not count.
    matchLabelKeys: [{{ ternary "controller-revision-hash" "pod-template-hash" $.Values.state.persistent }}]
  {{- end }}
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
{{- end -}}
