# ping.sh SERVICE PORT [WORD]: something answers there, and says WORD.
set -eu
answer=$(redis-cli --tls --cacert /run/tls/ca.crt -h "$POD_NAME.$1.jeton.svc" -p "$2" ping)
[ -z "${3-}" ] || [ "$answer" = "$3" ]
