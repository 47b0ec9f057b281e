#!/usr/bin/env bash
# Measures training over a slow link: two hosts (namespaces) whose packets a small program passes on at 100 Mbit/s and 1 ms each
# way, with gradients in fp32 and in bf16, in turn. Needs root, iproute2 and python3.
#   bench_links.sh [LMTRAIN]
set -euo pipefail
LMTRAIN=$(realpath "${1:-build/lmtrain}")
project=$(cd "$(dirname "$0")/.." && pwd)
. "$project/tests/run/lib.sh"
. "$project/tests/run/hosts.sh"
can_have_hosts || { echo "this machine allows no namespaces" >&2; exit 77; }
start_hosts 2

cat > link.py << 'PY'
# A link between the network namespaces of two processes: each packet waits for its turn at the rate, and then the delay.
import ctypes, fcntl, heapq, os, select, struct, sys, time
rate, delay, pids = float(sys.argv[1]), float(sys.argv[2]), [int(p) for p in sys.argv[3:5]]
ends = []
for pid in pids:
    ctypes.CDLL(None).setns(os.open(f"/proc/{pid}/ns/net", os.O_RDONLY), 0x40000000)  # CLONE_NEWNET
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, 0x400454CA, struct.pack("16sH", b"slow0", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    ends.append(end)
print("ready", flush=True)
free, waiting, number = [0.0, 0.0], [], 0
while True:
    left = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
    for end in select.select(ends, [], [], left)[0]:
        side = ends.index(end)
        while len(waiting) < 2000:
            try:
                packet = os.read(end, 65536)
            except BlockingIOError:
                break
            free[side] = max(free[side], time.monotonic()) + 8 * len(packet) / rate
            number += 1
            heapq.heappush(waiting, (free[side] + delay, number, 1 - side, packet))
    while waiting and waiting[0][0] <= time.monotonic():
        _, _, side, packet = heapq.heappop(waiting)
        try:
            os.write(ends[side], packet)
        except OSError:
            pass
PY
python3 link.py 100e6 0.001 "$(pid_of_host host1)" "$(pid_of_host host2)" > link.log &
echo $! > "$hosts/link.pid"
disown $!
until grep -qs ready link.log; do sleep 0.1; done
for i in 1 2; do
  nsenter -t "$(pid_of_host "host$i")" -n ip addr add "10.78.0.$i/24" dev slow0
  nsenter -t "$(pid_of_host "host$i")" -n ip link set slow0 mtu 9000 up
done
over_link() { mpirun_on_hosts --mca btl_tcp_if_include slow0 "$@"; }

over_link "$LMTRAIN" doctor | sed -n '/links/,$p'
sed -i 's/hidden_size: 32/hidden_size: 256/; s/interval: 20, batches: 2/interval: 0, batches: 1, samples: 0/; s/interval: 5, keep/interval: 0, keep/' config.yaml
echo "parallel: {threads: 1}" >> config.yaml
for round in 1 2 3; do
  for type in fp32 bf16; do
    over_link "$LMTRAIN" config.yaml run.name="$type$round" train.steps=20 parallel.reduce_type="$type" > job.log 2>&1 || fail "$(tail -5 job.log)"
    grep -o '"step_seconds":[0-9.e-]*' "runs/$type$round/metrics.jsonl" | tail -15 | cut -d: -f2 >> "$type.seconds"
  done
done
for type in fp32 bf16; do
  printf '%s: median step %s s; losses of the first run end at %s\n' "$type" "$(sort -g "$type.seconds" | sed -n 23p)" \
    "$(grep -o '"loss":[0-9.e-]*' "runs/${type}1/metrics.jsonl" | tail -1 | cut -d: -f2)"
done
