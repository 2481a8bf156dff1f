#!/bin/sh
# Runs inside the image build: installs REQUIREMENT into /opt/preflight, from /dist/wheelhouse alone when it is there.
# What a running preflight never reads is left out; byte code is kept, since a probe starts on a twentieth of a core.
set -eu
requirement=$1
env=/opt/preflight
python3 -m venv --without-pip "$env"
if [ -d /dist/wheelhouse ]; then
  pip=$(echo /dist/wheelhouse/pip-*.whl)
  "$env/bin/python" "$pip/pip" install --quiet --no-cache-dir --no-compile \
    --no-index --find-links /dist/wheelhouse --find-links /dist "$requirement"
else
  python3 -m pip --python "$env/bin/python" install --quiet --no-cache-dir --no-compile --find-links /dist "$requirement"
fi
site=$("$env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
find "$site" -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
find "$site" -type f \( -name '*.pyi' -o -name '*.c' -o -name '*.pxd' -o -name '*.pyx' \) -exec rm -f {} +
rm -f "$env"/bin/activate* "$env"/bin/Activate*
# unchecked-hash: valid whatever the time stamps of the copied files are, on a read-only file system
"$env/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$site"
