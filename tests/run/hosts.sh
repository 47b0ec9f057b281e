# Hosts on one machine, for tests: each has a network, a name and temporary files of its own (namespaces of Linux), and all see the
# same other files. Sourced behind tests/run/lib.sh; `work` is the folder of the test.
# shellcheck shell=bash
# shellcheck disable=SC2154  # work

hosts=$work/hosts
private=$work/private # the same path on each host, another folder on each

# Whether this machine allows it.
can_have_hosts() {
  [ "$(id -u)" = 0 ] && command -v ip > /dev/null && unshare -n -m -u sh -c '
    mount -t tmpfs tmpfs /mnt && hostname trial && ip link add trial-lan type bridge &&
      ip link add trial-a type veth peer name trial-b' > /dev/null 2>&1
}

pid_of_host() { cat "$hosts/$1.pid"; }
# Runs a command on a host, in this folder.
on_host() { "$hosts/enter" "$@"; }
set_link() { nsenter -t "$(pid_of_host switch)" -n ip link set "to-$1" "$2"; }

# is_host NAME PID: waits until the process is in namespaces of its own, and no more in those of this machine.
is_host() {
  disown "$2" # bash would tell of its end
  until [ "$(cat "/proc/$2/comm")" = sleep ]; do
    kill -0 "$2" || fail "the host $1 could not be made"
    sleep 0.02
  done
  echo "$2" > "$hosts/$1.pid"
}

start_host() {
  local name=$1 number=${1#host} pid
  # shellcheck disable=SC2016 # for the shell on the host
  unshare -n -m -u sh -c '
    hostname "$1"
    mount --bind "$2/names" /etc/hosts
    mount -t tmpfs tmpfs "$3"
    mount -t tmpfs tmpfs /dev/shm
    ip link set lo up
    exec sleep infinity' sh "$name" "$hosts" "$private" &
  pid=$!
  is_host "$name" "$pid"
  nsenter -t "$(pid_of_host switch)" -n ip link add "to-$name" type veth peer name eth0 netns "$pid"
  nsenter -t "$(pid_of_host switch)" -n ip link set "to-$name" master lan up
  nsenter -t "$pid" -n ip addr add "10.77.0.$number/24" dev eth0
  nsenter -t "$pid" -n ip link set eth0 up
}

# signal_host HOST SIGNAL PATTERN: its processes of such a name.
signal_host() {
  local own other
  own=$(readlink /proc/self/ns/net)
  other=$(readlink "/proc/$(pid_of_host "$1")/ns/net" || true)
  # The host may be gone, and its number be that of a process of this machine.
  if [ -z "$other" ] || [ "$other" = "$own" ]; then return; fi
  pkill "-$2" --ns "$(pid_of_host "$1")" --nslist net "$3"
}
count_on_host() { pgrep -c --ns "$(pid_of_host "$1")" --nslist net "$2" || true; }

# A host that dies at once, and of which nobody hears.
lose_host() {
  set_link "$1" down
  signal_host "$1" KILL .
  nsenter -t "$(pid_of_host switch)" -n ip link del "to-$1" 2> /dev/null || true
}

# start_hosts N: host1 to hostN, and a file `hostfile` for mpirun with one slot on each.
start_hosts() {
  local i
  mkdir -p "$hosts" "$private"
  cat > "$hosts/enter" << SH
#!/bin/sh
# enter HOST COMMAND...: what ssh would do
pid=\$(cat "$hosts/\$1.pid")
shift
exec nsenter -t "\$pid" -n -m -u --wd="\$PWD" env TMPDIR="$private" sh -c "\$*"
SH
  chmod +x "$hosts/enter"
  unshare -n sleep infinity &
  is_host switch $!
  trap stop_hosts EXIT
  nsenter -t "$(pid_of_host switch)" -n ip link add lan type bridge
  nsenter -t "$(pid_of_host switch)" -n ip link set lan up
  echo "127.0.0.1 localhost" > "$hosts/names"
  for ((i = 1; i <= $1; ++i)); do
    echo "10.77.0.$i host$i" >> "$hosts/names"
    echo "host$i slots=1"
  done > hostfile
  for ((i = 1; i <= $1; ++i)); do start_host "host$i"; done
}

stop_hosts() {
  local file
  for file in "$hosts"/host*.pid; do signal_host "$(basename "$file" .pid)" KILL . 2> /dev/null || true; done
  for file in "$hosts"/*.pid; do kill -KILL "$(cat "$file")" 2> /dev/null || true; done
  rm -rf "$work"
}

# The mpirun of host1: runs one rank on each host.
mpirun_on_hosts() {
  on_host host1 mpirun --allow-run-as-root --hostfile hostfile --map-by node \
    --mca plm_rsh_agent "$hosts/enter" "$@"
}
