#!/usr/bin/env bash
# A one-node Kubernetes from plain binaries: etcd, API server, controller manager, scheduler, containerd, kubelet, kube-proxy.
#   cluster-up.sh FOLDER    state, logs and admin.kubeconfig go there; cluster-down.sh FOLDER removes everything again
# Root on Linux only. It listens on loopback and on 198.18.0.1, an address of the benchmarking range (RFC 2544) that it puts on lo:
# nothing outside this machine can reach it. Pods get 198.18.64.0/20, services 198.19.0.0/24.
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"

STATE=${1:?usage: cluster-up.sh FOLDER}
NODE_IP=198.18.0.1
POD_RANGE=198.18.64.0/20
SERVICE_RANGE=198.19.0.0/24
ETCD=http://127.0.0.1:12379
API=https://$NODE_IP:16443

[ "$(id -u)" -eq 0 ] || die "a node needs root; run as root, or set SLUICE_E2E_KUBECONFIG to a cluster of your own"
need_debs containerd runc containernetworking-plugins iptables conntrack iproute2 openssl busybox-static etcd-server
BIN=$("$SLUICE_ROOT/scripts/tool" kubernetes)
"$SLUICE_ROOT/scripts/tool" node-parts >/dev/null
if iptables-save 2>/dev/null | grep -q '^:KUBE-' || ip link show cni0 >/dev/null 2>&1; then
  die "another Kubernetes already runs on this machine; set SLUICE_E2E_KUBECONFIG to use it"
fi

mkdir -p "$STATE"
STATE=$(cd "$STATE" && pwd)
mkdir -p "$STATE"/{pki,log,pid,etcd,kubelet,containerd,cni}
cd "$STATE"
ls /run/netns >netns.before 2>/dev/null || true

start() { # NAME COMMAND...
  local name=$1; shift
  setsid nohup "$@" >"log/$name.log" 2>&1 </dev/null &
  echo $! >"pid/$name"
}
# Waits for a condition; a component that died meanwhile ends the wait with the end of its log.
await() { # NAME SECONDS COMMAND...
  local name=$1 deadline=$((SECONDS + $2)); shift 2
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "$(cat "pid/$name")" 2>/dev/null; then
      tail -15 "log/$name.log" >&2
      die "$name is not up; its log: $STATE/log/$name.log"
    fi
    sleep 0.2
  done
}

authority() {
  openssl genrsa -out pki/sa.key 2048 2>/dev/null
  openssl rsa -in pki/sa.key -pubout -out pki/sa.pub 2>/dev/null
  openssl req -x509 -newkey rsa:2048 -nodes -keyout pki/ca.key -out pki/ca.crt -subj /CN=sluice-e2e -days 2 2>/dev/null
}
certificate() { # NAME SUBJECT
  local names="IP:127.0.0.1,IP:$NODE_IP,IP:198.19.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:node1"
  openssl req -newkey rsa:2048 -nodes -keyout "pki/$1.key" -out "pki/$1.csr" -subj "$2" 2>/dev/null
  openssl x509 -req -in "pki/$1.csr" -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 2 -out "pki/$1.crt" \
    -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$names") 2>/dev/null
}
kubeconfig() { # NAME; certificates inline, so that the file can be handed around
  cat >"$1.kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
clusters: [{name: sluice-e2e, cluster: {server: "$API", certificate-authority-data: $(base64 -w0 pki/ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "pki/$1.crt"), client-key-data: $(base64 -w0 "pki/$1.key")}}]
contexts: [{name: sluice-e2e, context: {cluster: sluice-e2e, user: $1}}]
current-context: sluice-e2e
CONFIG
  chmod 600 "$1.kubeconfig"
}

control_plane() {
  start etcd "$BIN/etcd" --data-dir etcd --listen-client-urls $ETCD --advertise-client-urls $ETCD --listen-peer-urls http://127.0.0.1:12380 --unsafe-no-fsync
  start apiserver "$BIN/kube-apiserver" --etcd-servers=$ETCD --bind-address=$NODE_IP --secure-port=16443 --advertise-address=$NODE_IP \
    --tls-cert-file=pki/apiserver.crt --tls-private-key-file=pki/apiserver.key --client-ca-file=pki/ca.crt \
    --service-account-key-file=pki/sa.pub --service-account-signing-key-file=pki/sa.key --service-account-issuer=https://kubernetes.default.svc \
    --service-cluster-ip-range=$SERVICE_RANGE --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --anonymous-auth=false \
    --kubelet-client-certificate=pki/admin.crt --kubelet-client-key=pki/admin.key --kubelet-preferred-address-types=InternalIP
  await apiserver 60 kubectl get --raw /readyz
  start controllers "$BIN/kube-controller-manager" --kubeconfig=admin.kubeconfig --bind-address=127.0.0.1 --leader-elect=false \
    --service-account-private-key-file=pki/sa.key --root-ca-file=pki/ca.crt --use-service-account-credentials=true \
    --cluster-cidr=$POD_RANGE --allocate-node-cidrs=false
  start scheduler "$BIN/kube-scheduler" --kubeconfig=admin.kubeconfig --bind-address=127.0.0.1 --leader-elect=false
}

# restrict_oom_score_adj: a container of a container (CI) may lack CAP_SYS_RESOURCE, and then no pod would start without it.
runtime() {
  cat >containerd/config.toml <<CONFIG
version = 2
root = "$STATE/containerd/root"
state = "$STATE/containerd/state"
[grpc]
  address = "$STATE/containerd/socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/sluice-e2e/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$STATE/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
CONFIG
  cat >cni/10-bridge.conflist <<CONFIG
{"cniVersion": "0.4.0", "name": "sluice-e2e", "plugins": [
  {"type": "bridge", "bridge": "sluice-e2e0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$STATE/cni/ipam", "ranges": [[{"subnet": "$POD_RANGE"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
CONFIG
  start containerd containerd -c containerd/config.toml
  await containerd 30 ctr -a containerd/socket version
}

# failCgroupV1, cgroupfs: works on hosts with either cgroup version and without systemd.
node() {
  cat >kubelet.yaml <<CONFIG
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_IP
healthzPort: 0
authentication: {x509: {clientCAFile: $STATE/pki/ca.crt}, anonymous: {enabled: false}, webhook: {enabled: true}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix://$STATE/containerd/socket
resolvConf: ""
clusterDNS: [198.19.0.10]
evictionHard: {imagefs.available: "0%", nodefs.available: "0%", memory.available: "100Mi"}
imageGCHighThresholdPercent: 100
tlsCertFile: $STATE/pki/kubelet.crt
tlsPrivateKeyFile: $STATE/pki/kubelet.key
CONFIG
  start kubelet "$BIN/kubelet" --config=kubelet.yaml --kubeconfig=kubelet.kubeconfig --root-dir="$STATE/kubelet" --cert-dir="$STATE/kubelet/pki" \
    --hostname-override=node1 --node-ip=$NODE_IP
  start proxy "$BIN/kube-proxy" --kubeconfig=admin.kubeconfig --hostname-override=node1 --cluster-cidr=$POD_RANGE --proxy-mode=iptables \
    --conntrack-max-per-core=0 --healthz-bind-address=127.0.0.1:10256 --metrics-bind-address=127.0.0.1:10249
  await controllers 30 kubectl get serviceaccount default
  await kubelet 60 kubectl wait --for=condition=Ready node/node1 --timeout=1s
}

kubectl() { "$BIN/kubectl" --kubeconfig="$STATE/admin.kubeconfig" "$@"; }

say "one-node Kubernetes $KUBERNETES_VERSION on $NODE_IP"
ip addr show dev lo | grep -q "$NODE_IP/32" || ip addr add $NODE_IP/32 dev lo
authority
certificate apiserver /CN=kube-apiserver
certificate admin /O=system:masters/CN=admin
certificate kubelet /O=system:nodes/CN=system:node:node1
kubeconfig admin
kubeconfig kubelet
control_plane
runtime
"$SLUICE_ROOT/e2e/pause-image.sh" "$STATE"
node
say "node Ready"
