#!/usr/bin/env bash
# Builds both images for real, without a container engine and without a registry of images: buildah (chroot isolation)
# on a base made from Debian packages, from the wheel in dist/. Then starts each one, and prints the sizes.
#
# usage: tools/build_image.sh        as root, on Debian with buildah; needs apt's mirror and the Python package index
#   BASE=IMAGE             take this base (in buildah's store) instead of making one
#   PROBE_IMAGE_TAR=FILE   where the probe image goes as a docker archive (default build/image/preflight-probe.tar)
#   CLI_IMAGE_TAR=FILE     the same for the whole one (default: not written)
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
PYTHON=${PYTHON:-python3}
WORK=build/image
PROBE_IMAGE_TAR=${PROBE_IMAGE_TAR:-$WORK/preflight-probe.tar}
VERSION=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' preflight/__init__.py)
WHEEL=$(echo dist/*.whl)
[ -f "$WHEEL" ] || { echo "no wheel in dist/; run: make dist" >&2; exit 2; }
command -v buildah > /dev/null || { echo "needs buildah: apt-get install buildah" >&2; exit 2; }
mkdir -p "$WORK" "$(dirname "$PROBE_IMAGE_TAR")"

# A store of its own under build/, so that nothing of the machine's is touched and `make clean` removes all of it.
STORE=$(readlink -f "$WORK")/store
bud() { buildah --root "$STORE/root" --runroot "$STORE/run" --storage-driver vfs "$@"; }
trap 'bud rm --all > /dev/null 2>&1 || true' EXIT

base() {
  [ -z "${BASE:-}" ] || { echo "$BASE"; return; }
  "$PYTHON" tools/base_image.py "$WORK/base" >&2
  local container
  container=$(bud from scratch)
  bud add --quiet "$container" "$WORK/base/rootfs" / > /dev/null
  bud config --env PATH=/usr/local/bin:/usr/bin:/bin "$container"
  bud commit --quiet --rm "$container" localhost/preflight-base > /dev/null
  echo localhost/preflight-base
}

# Wheels for the base's own Python, fetched here, so that the build inside needs no network.
wheelhouse() {
  local container version
  container=$(bud from "$1")
  version=$(bud run --isolation chroot "$container" -- python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  bud rm "$container" > /dev/null
  "$PYTHON" -m venv "$WORK/pip"
  "$WORK/pip/bin/python" -m pip download --quiet --disable-pip-version-check --dest "$WORK/context/dist/wheelhouse" \
    --python-version "$version" --implementation cp --only-binary :all: \
    --platform "manylinux_2_28_$(uname -m)" --platform "manylinux_2_17_$(uname -m)" --platform "manylinux2014_$(uname -m)" \
    "$WHEEL[all]" pip
}

build() {
  bud bud --quiet --isolation chroot --layers --target "$1" --build-arg "BASE=$BASE" --tag "localhost/$2:$VERSION" \
    --file Dockerfile "$WORK/context" > /dev/null
}

# The size of an image is what its layers hold unpacked.
bytes() {
  local container
  container=$(bud from "$1")
  du -sb "$(bud mount "$container")" | cut -f1
  bud rm "$container" > /dev/null
}

smoke() {
  local container
  container=$(bud from "localhost/$1:$VERSION")
  shift
  for arguments in "$@"; do
    # shellcheck disable=SC2086
    bud run --isolation chroot "$container" -- preflight $arguments > "$WORK/smoke.txt" || { cat "$WORK/smoke.txt"; exit 1; }
    echo "  preflight $arguments: $(head -n 1 "$WORK/smoke.txt")"
  done
  bud run --isolation chroot "$container" -- python3 -c 'import os; assert os.getuid() == 65532, os.getuid()'
  # The engine itself starts, with what this image holds: facts about the place and a closing line.
  echo '{"run_id": "image", "vantage": "pod/image", "tasks": []}' |
    bud run --isolation chroot "$container" -- preflight agent --plan - > "$WORK/smoke.txt"
  grep -q pod/image "$WORK/smoke.txt" || { cat "$WORK/smoke.txt"; exit 1; }
  bud rm "$container" > /dev/null
}

BASE=$(base)
rm -rf "$WORK/context"
mkdir -p "$WORK/context/dist" "$WORK/context/tools"
cp "$WHEEL" "$WORK/context/dist/"
cp tools/install_in_image.sh "$WORK/context/tools/"
wheelhouse "$BASE"
below=$(bytes "$BASE")
printf '%-16s %4d MB\n' base $((below / 1000000))
for image in probe:preflight-probe cli:preflight; do
  build "${image%%:*}" "${image##*:}"
  whole=$(bytes "localhost/${image##*:}:$VERSION")
  printf '%-16s %4d MB, of which %3d MB above the base\n' "${image##*:}" $((whole / 1000000)) $(((whole - below) / 1000000))
done
smoke preflight-probe --version "agent --help" "explain dns.nxdomain"
smoke preflight --version "demo --format console --out -"
# buildah refuses to write into an archive that is already there
export_image() {
  rm -f "$2"
  bud push --quiet "localhost/$1:$VERSION" "docker-archive:$2:localhost/$1:$VERSION"
}
export_image preflight-probe "$PROBE_IMAGE_TAR"
[ -z "${CLI_IMAGE_TAR:-}" ] || export_image preflight "$CLI_IMAGE_TAR"
echo "$PROBE_IMAGE_TAR: $(($(stat -c %s "$PROBE_IMAGE_TAR") / 1000000)) MB"
