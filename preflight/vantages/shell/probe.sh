# preflight's shell probe: POSIX sh, read-only, bounded. It asks, and relays what the tools here say; it judges nothing.
# Set before: R run id, C seconds for a connect, A and B authorities (PEM). Appended: one call of q for each target.
LC_ALL=C
export LC_ALL
h() { command -v "$1" >/dev/null 2>&1; }
# rel TASK KIND: stdin as lines of ours, short enough to stay whole beside other writers
rel() {
  while IFS= read -r l || [ -n "$l" ]; do
    m=.
    while [ ${#l} -gt 700 ]; do
      p=$(printf %.700s "$l")
      printf '@pf %s %s %s%s%s\n' "$R" "$1" "$2" $m "$p"
      l=${l#"$p"} m=+
    done
    printf '@pf %s %s %s%s%s\n' "$R" "$1" "$2" $m "$l"
  done
}
now() { echo "@$(date +%s 2>/dev/null)"; }
# lim SECONDS COMMAND...: ended when it takes longer; keeps its stdin
lim() {
  s=$1
  shift
  { "$@" <&9 9<&- & } 9<&0
  p=$!
  (sleep "$s"; kill $p) >/dev/null 2>&1 3>&- 4>&- &
  w=$!
  wait $p
  r=$?
  kill $w 2>/dev/null
  return $r
}
end() { now; echo "rc=$1"; }
names() {
  case $H in *[!0-9.]*) ;; *) return ;; esac
  if h dig; then
    { now; lim 7 dig +time=2 +tries=2 +noall +comments +question +answer +stats "$H." A "$H." AAAA 2>&1; end $?; } | head -c 6000 | rel $n d
  elif h nslookup; then
    { now; lim 7 nslookup "$H." 2>&1; end $?; } | head -c 4000 | rel $n n
  fi
  h curl && [ $S != tcp ] || ! h getent || { now; lim 7 getent ahosts "$H" 2>&1; end $?; } | head -c 2000 | rel $n g
}
# w [ARGS]: one request; what curl tells goes to the pipe at 4, the body to the one at 3
w() {
  o=$({ curl -sSvg --trace-time --connect-timeout $C --max-time $((C + 10)) -A preflight "$@" "$U" 2>&1 >&3 3>&- 4>&-; echo "rc=$?"; } | head -c 9000)
  printf '%s\n' "$o" | rel $n c >&4
}
ssl() {
  h openssl || return
  v=-verify_hostname
  case $H in *[!0-9.]*) ;; *) v=-verify_ip ;; esac
  { now; printf '%s' "$F" | lim $((C + 5)) openssl s_client -connect "$HP" -servername "$H" $v "$H" -alpn h2,http/1.1 ${F:+-CAfile /dev/stdin} 2>&1; end $?; } | head -c 9000 | rel $n s
}
tcp() {
  if h bash; then
    { now; echo bash; lim $((C + 1)) bash -c 'exec 3<>/dev/tcp/$0/$1' "$H" "$P" 2>&1; end $?; } | head -c 1000 | rel $n t
  elif h nc; then
    z=
    case $(nc -h 2>&1) in *-z*) z=-zv ;; esac
    { now; echo nc; lim $((C + 3)) nc $z -w $C "$H" "$P" </dev/null 2>&1; end $?; } | head -c 1000 | rel $n t
  fi
}
# q TASK SCHEME HOST PORT HOST:PORT URL TRUST [CURL ARGS]
q() {
  n=$1 S=$2 H=$3 P=$4 HP=$5 U=$6 F=$A
  [ "$7" = system ] || F=$B
  k=$7
  shift 7
  now | rel $n i || return # nobody listens any more
  names
  if [ $S = tcp ]; then
    tcp
  elif h curl; then
    {
      {
        o=rc=60
        if [ $k = system ] || [ -z "$F" ]; then w "$@"; fi
        case $o in
        *rc=60)
          [ -z "$F" ] || printf '%s' "$F" | w "$@" --cacert /dev/stdin
          [ $k = system ] && ssl >&4
          ;;
        esac
      } 3>&1 | head -c 4000 | rel $n b >&4
    } 4>&1
  elif [ $S = https ] && h openssl; then
    ssl
  else
    tcp
    [ $S != http ] || ! h wget || { now; lim $((C + 10)) wget -S -O /dev/null -T 10 "$U" 2>&1; end $?; } | head -c 4000 | rel $n w
  fi
  echo | rel $n z
}
# f N: at most that many targets side by side
G=0
f() { G=$((G + 1)); [ $((G % 6)) != 0 ] || wait; }
{
  t=
  for c in curl openssl dig nslookup getent bash nc wget python3 sleep head date; do h $c && t="$t $c"; done
  echo "tools$t"
  echo "host ${HOSTNAME:-$(hostname 2>/dev/null)}"
  now
  for c in https_proxy HTTPS_PROXY http_proxy no_proxy NO_PROXY; do
    eval "p=\${$c-}"
    case $p in *://*@*) p="${p%%://*}://***@${p##*@}" ;; esac
    [ -z "$p" ] || echo "env $c=$p"
  done
} | rel 0 i
for c in resolv.conf hosts; do
  [ -r /etc/$c ] && rel 0 ${c%%[eo]*} </etc/$c
done
