# The configuration is made anew at each start, of redis.conf and the secrets. Whose replica this is
# the sentinels say. Where none answers it is what Sentinel wrote into the last configuration; and
# where there is none, since all of this is new, the first pod is the primary.
set -eu
umask 077
me=$POD_NAME.jeton-redis.jeton.svc
first=jeton-redis-0.jeton-redis.jeton.svc

named() {
    REDISCLI_AUTH=$(cat /run/redis/sentinel) timeout 5 redis-cli --tls --cacert /run/tls/ca.crt \
        -h jeton-sentinel.jeton.svc -p 26379 SENTINEL GET-MASTER-ADDR-BY-NAME jeton | head -n 1
}

hash() { printf %s "$(cat "/run/redis/$1")" | sha256sum | cut -d ' ' -f 1; }

primary=$(named 2> /dev/null || true)
case $primary in
    "$me") role= ;;
    jeton-redis-*) role="replicaof $primary 6379" ;;
    *)
        if [ -e /data/redis.conf ]; then
            role=$(grep '^replicaof ' /data/redis.conf || true)
        elif [ "$me" = "$first" ]; then
            role=
        else
            role="replicaof $first 6379"
        fi
        ;;
esac

cat > /data/redis.conf.new << END
include /etc/redis/redis.conf
replica-announce-ip $me
masterauth $(cat /run/redis/replica)
user jeton on #$(hash service) ~{jeton}* ~jt* resetchannels -@all +@read +@write +@scripting +info +wait +config|get +cluster|info +cluster|slots +asking +time +ping +select +bgrewriteaof
user replica on #$(hash replica) resetkeys resetchannels -@all +psync +replconf +ping
user watcher on #$(hash watcher) resetkeys allchannels -@all +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info +client|setname +client|kill +script|kill
$role
END
mv /data/redis.conf.new /data/redis.conf
exec redis-server /data/redis.conf "$@"
