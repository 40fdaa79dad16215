#!/usr/bin/env bash
# Gives containerd the image that holds each pod's namespaces: a busybox that waits to be ended. Saves a download.
#   pause-image.sh FOLDER
set -euo pipefail
STATE=${1:?usage: pause-image.sh FOLDER}
ROOT=$STATE/pause-root
mkdir -p "$ROOT/bin"
cp "$(command -v busybox)" "$ROOT/bin/busybox"
"$(dirname "$0")/pack-image.sh" "$ROOT" docker.io/sluice-e2e/pause:1 '{"Entrypoint": ["/bin/busybox", "sh", "-c", "trap exit TERM; while :; do /bin/busybox sleep 3600 & wait; done"]}' "$STATE/pause.tar"
ctr -a "$STATE/containerd/socket" -n k8s.io images import "$STATE/pause.tar" >/dev/null
