# Starts the object gateway of Ceph with all that it needs: a monitor, one
# object store in memory, and an account.
#	sh ceph.sh PORT DIR ACCESS_KEY SECRET_KEY MONITOR_PORT
# They end with this process, which becomes the gateway.
set -eu
port=$1 dir=$2 key=$3 secret=$4 monitor=$5
export CEPH_CONF="$dir/ceph.conf"
uuid() { cat /proc/sys/kernel/random/uuid; }
fsid=$(uuid)
mkdir -p "$dir/mon" "$dir/osd" "$dir/run"
cat > "$CEPH_CONF" <<END
[global]
fsid = $fsid
keyring = $dir/keyring
mon host = v1:127.0.0.1:$monitor
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr2 = false
mon data = $dir/mon
osd data = $dir/osd
run dir = $dir/run
log file = $dir/run/\$name.log
admin socket = $dir/run/\$name.asok
pid file = $dir/run/\$name.pid
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 2
osd objectstore = memstore
memstore device bytes = 4294967296
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd crush chooseleaf type = 0
rgw frontends = beast endpoint=127.0.0.1:$port
END
ceph-authtool --create-keyring "$dir/keyring" --gen-key -n mon. --cap mon 'allow *'
ceph-authtool "$dir/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *'
ceph-authtool "$dir/keyring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
monmaptool --create --fsid "$fsid" --addv a "[v1:127.0.0.1:$monitor]" "$dir/monmap"
ceph-mon --mkfs -i a --monmap "$dir/monmap" --keyring "$dir/keyring"
setpriv --pdeathsig KILL ceph-mon -i a -f &
osd=$(uuid)
ceph osd new "$osd"
ceph-osd -i 0 --mkfs --osd-uuid "$osd"
setpriv --pdeathsig KILL ceph-osd -i 0 -f &
radosgw-admin user create --uid=test --display-name=test "--access-key=$key" "--secret=$secret"
exec radosgw -n client.admin -f
