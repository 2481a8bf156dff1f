"""Shell text: the embedded Azure in a network namespace that looks like a host with a network; nothing leaves it.

Wants DIR (a folder), PYTHON, and OPTIONS of `lab serve`, which may be unset.
"""

# One veth with a default route, Azure's DNS, and a lab that is ready, its secrets set, gone when the script ends.
SERVED = r"""
set -eu
ip link set lo up
ip link add up0 type veth peer name up1
ip addr add 10.70.0.10/24 dev up0
ip link set up0 up
ip link set up1 up
ip route add default via 10.70.0.1
echo "nameserver 203.0.113.53" > "$DIR/resolv.conf"
mount --bind "$DIR/resolv.conf" /etc/resolv.conf
eval "set -- ${OPTIONS-}"
"$PYTHON" -P -m preflight lab serve --assign --environment-out "$DIR/preflight.toml" "$@" > "$DIR/secrets" &
lab=$!
trap 'kill $lab' EXIT
i=0
while ! [ -e "$DIR/preflight.toml" ]; do i=$((i + 1)); [ $i -lt 200 ]; sleep 0.05; done
. "$DIR/secrets"
"""
