#!/usr/bin/env bash
# Makes what joining hosts needs: an authority of your own, the coordinator's certificate and the
# tokens. Nothing that exists is replaced; delete a file to have it made anew.
#   deploy/make-secrets.sh DIR NAME-OR-ADDRESS...
# The names and addresses are those by which workers and scmctl reach the coordinator.
set -euo pipefail
if [ $# -lt 2 ]; then
  sed -n '2,5s/^# //p' "$0" >&2
  exit 2
fi
umask 077
directory=$1
shift
mkdir -p "$directory"
cd "$directory"

# "DNS:coordinator.example,IP:192.0.2.10"
alternatives=$(for name in "$@"; do
  if [[ $name =~ ^[0-9.]+$ || $name == *:* ]]; then echo "IP:$name"; else echo "DNS:$name"; fi
done | paste -sd, -)

# ca.key may have been moved to a safe place: ca.crt without it is an authority all the same.
if [ ! -e ca.key ] && [ ! -e ca.crt ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
    -subj "/CN=scm authority" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout ca.key -out ca.crt 2>/dev/null
fi
if [ ! -e server.key ]; then
  if [ ! -e ca.key ] || [ ! -e ca.crt ]; then
    echo "$directory: a new certificate needs ca.key and ca.crt here; bring them back" >&2
    exit 1
  fi
  # The key gets its name last: what was broken off is made again.
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=scm-coordinator" \
    -keyout server.key.new -out server.csr 2>/dev/null
  openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 825 \
    -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$alternatives") \
    -out server.crt.new 2>/dev/null ||
    { echo "openssl makes no certificate for $alternatives" >&2; exit 1; }
  rm server.csr
  mv server.crt.new server.crt
  mv server.key.new server.key
fi
for token in user worker; do
  [ -e "$token.token" ] || openssl rand -hex 32 > "$token.token"
done
chmod 644 ca.crt server.crt
openssl verify -CAfile ca.crt server.crt >/dev/null
openssl x509 -in server.crt -noout -ext subjectAltName -enddate
