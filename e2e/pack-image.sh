#!/usr/bin/env bash
# Packs a folder into an image archive (docker-archive format) without Docker: one layer, one config, one manifest.
#   pack-image.sh ROOT NAME CONFIG OUT     CONFIG: the JSON of the image's `config` (Entrypoint, Env, User, WorkingDir)
set -euo pipefail
ROOT=$1 NAME=$2 CONFIG=$3 OUT=$4
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
case $(uname -m) in aarch64 | arm64) ARCHITECTURE=arm64 ;; *) ARCHITECTURE=amd64 ;; esac
tar -C "$ROOT" --owner=0 --group=0 --numeric-owner --sort=name -cf "$WORK/layer.tar" .
LAYER=$(sha256sum "$WORK/layer.tar" | cut -d' ' -f1)
printf '{"architecture":"%s","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$ARCHITECTURE" "$CONFIG" "$LAYER" >"$WORK/config.json"
printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$NAME" >"$WORK/manifest.json"
tar -C "$WORK" -cf "$OUT" manifest.json config.json layer.tar
