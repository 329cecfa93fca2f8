# Runs in the virtual machine: each watcher once per round, with the same load; the counts of the server are the truth.
# Answers are lines that start with `peer `. The caller sets ROUNDS, REQUESTS, PORT and STATUS.

URL=http://127.0.0.1:$PORT/

# Connections and requests that nginx counted. Reading the counters is one of each.
status() {
    wget -q -O - http://127.0.0.1:$STATUS/ | sed -n 3p
}

# Number of runs of all BPF programs of a process, and their nanoseconds, from the kernel's statistics.
bpf() {
    cat /proc/"$1"/fdinfo/* 2>/dev/null | awk '/^run_cnt/ { runs += $2 } /^run_time_ns/ { ns += $2 } END { print runs + 0, ns + 0 }'
}

# CPU nanoseconds of all threads.
used() {
    cat /proc/"$1"/task/*/schedstat 2>/dev/null | awk '{ ns += $1 } END { printf "%.0f", ns }'
}

watches() {
    if [ "$1" = tcp-reuse-watch ]; then
        grep -q '"type":"start"' /tmp/out
    else
        cat /proc/"$2"/fdinfo/* 2>/dev/null | grep -q prog_type
    fi
}

# Connections and, if the watcher counts them, exchanges.
seen() {
    case $1 in
    tcp-reuse-watch)
        tail -n 1 /tmp/out | sed 's/.*"totals":{\([^}]*\)}.*/\1/' | tr ',' '\n' >/tmp/totals
        echo "$(sed -n 's/"opened"://p' /tmp/totals) $(sed -n 's/"exchanges"://p' /tmp/totals)"
        ;;
    tcpconnect) echo "$(grep -c " $PORT *\$" /tmp/out) -" ;;
    tcptracer) echo "$(grep -c "^C.* $PORT *\$" /tmp/out) -" ;;
    # It lists active connections every second: count the local ends that were listed at least once.
    tcptop) echo "$(awk -v end=":$PORT\$" '$4 ~ end { print $3 }' /tmp/out | sort -u | wc -l) -" ;;
    *) echo "- -" ;;
    esac
}

watch() {
    name=$1
    pid=
    if [ "$name" != nothing ]; then
        "$@" >/tmp/out 2>/tmp/err &
        pid=$!
        tries=0
        until watches "$name" "$pid"; do
            tries=$((tries + 1))
            if [ "$tries" -gt 300 ] || [ ! -e "/proc/$pid" ]; then
                echo "peer name=$name refused=$(tail -n 1 /tmp/err | tr -c 'a-zA-Z0-9:.\n' _)"
                kill -9 "$pid" 2>/dev/null
                return
            fi
            sleep 0.1
        done
    fi
    # Wait until the programs are attached; without a watcher, wait as long.
    sleep 2
    set -- $(status)
    connections=$1 requests=$3
    set -- $(bpf "$pid")
    runs=$1 run_ns=$2 cpu_ns=$(used "$pid")
    ab -q -c 8 -n "$REQUESTS" "$URL" >/tmp/ab 2>&1
    sleep 2
    set -- $(status)
    connections=$(($1 - connections - 1)) requests=$(($3 - requests - 1))
    set -- $(bpf "$pid")
    runs=$(($1 - runs)) run_ns=$(($2 - run_ns)) cpu_ns=$(($(used "$pid") - cpu_ns))
    if [ -n "$pid" ]; then
        kill -INT "$pid"
        wait "$pid"
    fi
    set -- $(seen "$name")
    rate=$(sed -n 's/^Requests per second: *\([0-9.]*\).*/\1/p' /tmp/ab)
    echo "peer name=$name connections=$connections requests=$requests seen_connections=$1 seen_exchanges=$2 runs=$runs run_ns=$run_ns cpu_ns=$cpu_ns rate=$rate"
}

echo 1 >/proc/sys/kernel/bpf_stats_enabled
nginx -e errors -c nginx.conf -p /srv &
until status >/dev/null 2>&1; do sleep 0.2; done
# Warm up.
ab -q -c 8 -n "$REQUESTS" "$URL" >/dev/null 2>&1
round=0
while [ "$round" -lt "$ROUNDS" ]; do
    round=$((round + 1))
    watch nothing
    watch tcp-reuse-watch -p "$PORT" -o json
    watch tcpconnect -P "$PORT"
    watch tcptracer
    watch tcptop -C -r 100000 1
done
true
