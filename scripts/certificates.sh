#!/usr/bin/env bash
# Makes the certificates of a ZooKeeper to try things with, for a month:
#
#   certificates.sh dir [name...]
#
# ca.pem, who signs; server.pem, with its key, for the names, by default those of this
# machine; client.pem and client-key.pem. Nothing is made where they are already.
# Also runs in the container of docker-compose.yml, which is why it stands alone.
set -euo pipefail
umask 077

[ $# -gt 0 ] || {
    echo "usage: $0 dir [name...]" >&2
    exit 1
}
dir=$1
shift
[ $# -gt 0 ] || set -- DNS:localhost IP:127.0.0.1 IP:::1
names=$(IFS=,; echo "$*")

mkdir -p "$dir"
cd "$dir"
[ ! -f client.pem ] || exit 0
trap 'rm -f ./*.csr ./*.ext ./*.srl ./ca-key.pem ./server-key.pem ./server-cert.pem' EXIT

# key makes a key in the form that Java reads.
key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1"; }

# sign makes a certificate for a key: its file, the key's, the subject, and what it is for.
sign() {
    openssl req -new -key "$2" -subj "/CN=$3" -out "$1.csr"
    printf '%s\n' "${@:4}" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 30 -sha256 -extfile "$1.ext" -out "$1" 2>/dev/null
}

key ca-key.pem
openssl req -x509 -new -key ca-key.pem -subj "/CN=CA to try Clocker with" -days 30 -sha256 -out ca.pem
key server-key.pem
sign server-cert.pem server-key.pem zookeeper "subjectAltName=$names" extendedKeyUsage=serverAuth
cat server-key.pem server-cert.pem >server.pem
key client-key.pem
sign client.pem client-key.pem team-a extendedKeyUsage=clientAuth
