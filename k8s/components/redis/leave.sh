# Before a primary is stopped its place goes to a replica: a second without writes, where Sentinel
# would take five to notice and some more to elect.
set -eu
me=$POD_NAME.jeton-redis.jeton.svc

sentinel() {
    REDISCLI_AUTH=$(cat /run/redis/sentinel) redis-cli --tls --cacert /run/tls/ca.crt \
        -h jeton-sentinel.jeton.svc -p 26379 SENTINEL "$@"
}

primary() { sentinel GET-MASTER-ADDR-BY-NAME jeton | head -n 1; }

for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
    [ "$(primary)" = "$me" ] || exit 0
    sentinel FAILOVER jeton # refused while no replica is known to be well, or one is under way
    sleep 1
done
