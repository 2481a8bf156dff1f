#!/usr/bin/env bash
# Runs tests/e2e/cluster against a real cluster, with the probe image of this checkout.
#
# usage: make e2e-cluster        (root, for the firewall of a test cluster)
#   KUBECONFIG=FILE   the cluster (kind, AKS, a test cluster); the current context is used, with rights of an administrator
#   PROBE_IMAGE=NAME  the image, which its nodes have or can pull: build/image/preflight-probe.tar, loaded or pushed before
#   CLUSTER_KIT=DIR   a test cluster with up, env, load, fw and node-exec: it is started, the image is loaded, and the
#                     tests that switch a firewall run as well; KUBECONFIG and PROBE_IMAGE are then its own
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
PYTHON=${PYTHON:-python3}
VERSION=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' preflight/__init__.py)
export PROBE_IMAGE_TAR=${PROBE_IMAGE_TAR:-build/image/preflight-probe.tar}

if [ -n "${CLUSTER_KIT:-}" ]; then
  [ "$PROBE_IMAGE_TAR" -nt "$(echo dist/*.whl)" ] || PYTHON=$PYTHON tools/build_image.sh
  "$CLUSTER_KIT/up"
  eval "$("$CLUSTER_KIT/env")"
  "$CLUSTER_KIT/load" "$PROBE_IMAGE_TAR"
  export PROBE_IMAGE=localhost/preflight-probe:$VERSION
fi
[ -n "${KUBECONFIG:-}" ] || { echo "KUBECONFIG names no cluster; see tools/e2e_cluster.sh" >&2; exit 2; }
[ -n "${PROBE_IMAGE:-}" ] || { echo "PROBE_IMAGE names no image; see tools/e2e_cluster.sh" >&2; exit 2; }
exec env PYTHONSAFEPATH=1 PREFLIGHT_DIST=dist "${TEST_PYTHON:-$PYTHON}" -P -m pytest --import-mode=importlib \
  -p no:randomly tests/e2e/cluster "$@"
