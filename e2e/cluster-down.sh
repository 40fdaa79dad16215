#!/usr/bin/env bash
# Removes what cluster-up.sh FOLDER made: processes, containers, mounts, network, files. Idempotent; touches nothing that is not ours.
#   cluster-down.sh FOLDER
set -uo pipefail
STATE=${1:?usage: cluster-down.sh FOLDER}
[ -d "$STATE/pid" ] || exit 0
STATE=$(cd "$STATE" && pwd)
containers() { ctr -a "$STATE/containerd/socket" -n k8s.io "$@" 2>/dev/null; }
pid_of() { cat "$STATE/pid/$1" 2>/dev/null; }
stop() { # NAME...; waits for the end, so that nothing is pulled away under a running process
  local name pid pids=()
  for name in "$@"; do
    pid=$(pid_of "$name") && kill "$pid" 2>/dev/null && pids+=("$pid")
  done
  for _ in $(seq 30); do kill -0 "${pids[@]}" 2>/dev/null || return 0; sleep 0.1; done
  # The API server waits for its watches; nobody needs them any more.
  kill -KILL "${pids[@]}" 2>/dev/null
  for _ in $(seq 30); do kill -0 "${pids[@]}" 2>/dev/null || return 0; sleep 0.1; done
}

stop kubelet proxy scheduler controllers apiserver
for task in $(containers tasks ls -q); do
  containers tasks kill -s KILL "$task"
done
for _ in $(seq 50); do containers tasks ls | grep -q RUNNING || break; sleep 0.1; done
for task in $(containers tasks ls -q); do containers tasks rm -f "$task" >/dev/null; done
stop containerd etcd

awk '{ print $2 }' /proc/mounts | grep "^$STATE/" | sort -r | while read -r mounted; do umount -l "$mounted"; done
for namespace in $(ls /run/netns 2>/dev/null); do
  grep -qx "$namespace" "$STATE/netns.before" || ip netns delete "$namespace" 2>/dev/null
done
ip link delete sluice-e2e0 2>/dev/null
iptables-save 2>/dev/null | grep -v -E 'KUBE-|CNI-' | iptables-restore 2>/dev/null
ip addr delete 198.18.0.1/32 dev lo 2>/dev/null
for _ in $(seq 20); do rm -rf "$STATE" 2>/dev/null && break; sleep 0.2; done
[ ! -e "$STATE" ]
