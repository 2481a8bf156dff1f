#!/bin/sh
# The policy of AKS's own node check (az aks check-network outbound), one host after the other: a name lookup whose
# output is thrown away, then curl up to three times with a limit of ten seconds, and five seconds between the tries.
# 200 to 399 is good. Written anew from the policy; it prints what that check logs, without its reason sentences.
for host in "$@"; do
  if nslookup "$host" > /dev/null; then
    echo "SUCCESS: Successfully tested DNS resolution to $host"
  else
    echo "ERROR: Failed to test DNS resolution to $host"
    continue
  fi
  tries=0
  while true; do
    status=$(curl -s -m 10 -o /dev/null -w '%{http_code}' "https://$host" -L)
    if [ "$status" -ge 200 ] && [ "$status" -lt 400 ]; then
      echo "SUCCESS: Successfully tested $host with returned status code $status"
      break
    fi
    tries=$((tries + 1))
    if [ $tries -eq 3 ]; then
      echo "ERROR: Failed to curl $host after 3 attempts with returned status code $status"
      break
    fi
    sleep 5
  done
done
