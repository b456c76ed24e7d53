#!/bin/sh
# Plays k3s where no container may be privileged: a control plane whose node and pods kwok plays.
# Each server's flags lie in /etc/stand-in, one a line.
set -eu
node=$(hostname)
sans="DNS:localhost,DNS:kubernetes,DNS:kubernetes.default.svc,DNS:$node,IP:127.0.0.1,IP:10.0.0.1"
output=${K3S_KUBECONFIG_OUTPUT:-}
mode=${K3S_KUBECONFIG_MODE:-600}

die() {
  echo "k3s (stand-in): $*" >&2
  exit 1
}

add_san() {
  case $1 in
    *:* | *[0-9].[0-9]*.[0-9]*.[0-9]*) sans="$sans,IP:$1" ;;
    *) sans="$sans,DNS:$1" ;;
  esac
}

case ${1:-} in
  server) shift ;;
  kubectl) shift && exec kubectl "$@" ;;
  *) die "plays only the commands server and kubectl, not ${1:-nothing}" ;;
esac
while [ $# -gt 0 ]; do
  case $1 in
    --tls-san=*) add_san "${1#*=}" ;;
    --tls-san) add_san "$2" && shift ;;
    --write-kubeconfig=*) output=${1#*=} ;;
    --write-kubeconfig-mode=*) mode=${1#*=} ;;
    # What is not played need not be left out.
    --disable=*) ;;
    --disable) shift ;;
    *) die "does not know $1" ;;
  esac
  shift
done

data=/var/lib/rancher/k3s/server
tls=$data/tls
umask 077
mkdir -p "$tls" /etc/rancher/k3s /root/.kube

# shellcheck source=/dev/null
. /etc/stand-in/credentials.sh

pids=
ended() {
  trap - TERM INT
  # The last started first: etcd has to outlive the others.
  for pid in $pids; do
    kill "$pid" 2> /dev/null || true
    wait "$pid" || true
  done
  exit "$1"
}
trap 'ended 0' TERM INT

# In the background, so that a signal is heard at once.
pause() {
  sleep 1 &
  wait $! || true
}

start() {
  name=$1
  set --
  while read -r flag; do set -- "$@" "$flag"; done < "/etc/stand-in/$name.flags"
  "$name" "$@" &
  pids="$! $pids"
}

ready() {
  until "$@" > /dev/null 2>&1; do
    alive
    pause
  done
}

# Without the taint that every new node gets: the controller that would take it off does not run.
has_node() {
  kubectl get node "$node" || sed "s/NODE/$node/g" /etc/stand-in/node.json | kubectl create -f - || return 1
  # Looked at again after each patch, and not before the node is ready: whoever else writes the node
  # meanwhile may bring the taint back.
  [ "$(kubectl get node "$node" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')" = True ] || return 1
  [ -z "$(kubectl get node "$node" -o jsonpath='{.spec.taints}')" ] && return 0
  kubectl patch node "$node" --type=merge --patch='{"spec":{"taints":null}}'
  return 1
}

alive() {
  for pid in $pids; do kill -0 "$pid" 2> /dev/null || ended 1; done
}

start etcd
ready wget -qO- http://127.0.0.1:2379/health
start kube-apiserver
ready kubectl get --raw=/readyz
start kube-controller-manager
start kube-scheduler
start kwok
ready has_node
while :; do
  alive
  pause
done
