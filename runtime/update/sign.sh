#!/bin/sh
# Signs a version of stile-runtime: writes FILE.statement, which a terminal with the public key takes as true.
# usage: sign.sh KEY.pem FILE VERSION PLATFORM      e.g. sign.sh update.pem stile-runtime-linux-x64 0.2.0 linux-x64
set -eu
[ $# -eq 4 ] || { echo "usage: sign.sh KEY.pem FILE VERSION PLATFORM" >&2; exit 2; }
out=$2.statement
signature=$(mktemp)
trap 'rm -f "$signature"' EXIT
printf 'stile-runtime update 1\nversion %s\nplatform %s\nbytes %s\nsha256 %s\n' \
  "$3" "$4" "$(wc -c <"$2" | tr -d ' ')" "$(sha256sum <"$2" | cut -d' ' -f1)" >"$out"
openssl pkeyutl -sign -rawin -inkey "$1" -in "$out" -out "$signature"
printf 'signature %s\n' "$(openssl base64 -A -in "$signature")" >>"$out"
