#!/usr/bin/env bash
# Runs tests/e2e/cluster against a real cluster, with the probe image of this checkout.
#
# usage: make e2e-cluster        (root, for building the image and for the firewall of a test cluster)
#   KUBECONFIG=FILE     the cluster (kind, AKS, a test cluster): its current context, with rights of an administrator
#   PROBE_IMAGE=NAME    the image, where the nodes have it or can pull it: build/image/preflight-probe.tar, pushed before
#   LOAD_IMAGE=COMMAND  instead: builds the image and calls COMMAND with the tar, e.g. 'kind load image-archive'
#   CLUSTER_KIT=DIR     instead of all that: a test cluster with up, env, load, fw and node-exec. It is started, the image
#                       is built and loaded, and the tests that switch a firewall run as well
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
PYTHON=${PYTHON:-python3}
VERSION=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' preflight/__init__.py)
export PROBE_IMAGE_TAR=${PROBE_IMAGE_TAR:-build/image/preflight-probe.tar}

if [ -n "${CLUSTER_KIT:-}" ]; then
  CLUSTER_KIT=$(readlink -f "$CLUSTER_KIT")
  export CLUSTER_KIT
  "$CLUSTER_KIT/up"
  eval "$("$CLUSTER_KIT/env")"
  LOAD_IMAGE=$CLUSTER_KIT/load PROBE_IMAGE=''
fi
[ -n "${KUBECONFIG:-}" ] || { echo "KUBECONFIG names no cluster; see tools/e2e_cluster.sh" >&2; exit 2; }
if [ -z "${PROBE_IMAGE:-}" ]; then
  [ -n "${LOAD_IMAGE:-}" ] || {
    echo "neither PROBE_IMAGE nor LOAD_IMAGE says how the nodes of $KUBECONFIG get the probe image; see tools/e2e_cluster.sh" >&2
    exit 2
  }
  [ "$PROBE_IMAGE_TAR" -nt "$(echo dist/*.whl)" ] || PYTHON=$PYTHON tools/build_image.sh
  $LOAD_IMAGE "$PROBE_IMAGE_TAR"
  PROBE_IMAGE=localhost/preflight-probe:$VERSION
fi
export PROBE_IMAGE
exec env PYTHONSAFEPATH=1 PREFLIGHT_DIST=dist "${TEST_PYTHON:-$PYTHON}" -P -m pytest --import-mode=importlib \
  -p no:randomly --durations=15 tests/e2e/cluster "$@"
