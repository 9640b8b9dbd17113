# The configuration is made anew at each start, of sentinel.conf and the secrets. Of the last one
# it keeps what this sentinel learned: who it is, who the others are, which failover was the last.
set -eu
umask 077
me=$POD_NAME.jeton-sentinel.jeton.svc
learned='^sentinel (myid|monitor|current-epoch|config-epoch|leader-epoch|known-replica|known-sentinel) '
if [ -e /data/sentinel.conf ]; then
    known=$(grep -E "$learned" /data/sentinel.conf)
else
    known="sentinel monitor jeton jeton-redis-0.jeton-redis.jeton.svc 6379 2"
fi

{
    printf '%s\n' "$known"
    cat /etc/redis/sentinel.conf
    echo "sentinel announce-ip $me"
    echo "sentinel auth-pass jeton $(cat /run/redis/watcher)"
    echo "sentinel sentinel-pass $(cat /run/redis/sentinel)"
    echo "requirepass $(cat /run/redis/sentinel)"
} > /data/sentinel.conf.new
mv /data/sentinel.conf.new /data/sentinel.conf
exec redis-sentinel /data/sentinel.conf "$@"
