#!/bin/sh
# Prints what this host is set to against what Ringway wants of it. Changes nothing, needs no rights.
#
# usage: tuning/check.sh [--strict] [--interface NAME]
#   --strict      exit 1 when a row differs (else always 0)
#   --interface   the network interface to look at [default: the one of the default route]
#
# README.md beside this file has for each row the reason, how to verify it and how to undo it.
# CHECK_ROOT=DIR reads DIR/proc and DIR/sys instead of this host's (the tests use it).

set -u
LC_ALL=C
export LC_ALL
root=${CHECK_ROOT:-}
strict=no
interface=
differing=0

usage() {
    sed -n '4,6s/^# \{0,1\}//p' "$0"
}

while [ $# -gt 0 ]; do
    case $1 in
        --strict) strict=yes ;;
        --interface)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            interface=$2
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) echo "check.sh: unknown argument: $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

# --- the table -------------------------------------------------------------------------------

heading() {
    printf '\n%-42s %-26s %-26s %s\n' "$1" current wanted state
}

# row NAME CURRENT WANTED STATE
row() {
    [ "$4" != differs ] || differing=$((differing + 1))
    printf '%-42s %-26s %-26s %s\n' "$1" "$2" "$3" "$4"
}

# The first line of a file, blanks squeezed; nothing where it cannot be read. (Not `read`: some
# shells read byte by byte, and /proc/sys answers only the first read.)
first_line() {
    [ -r "$1" ] || return 0
    head -n 1 "$1" 2>/dev/null | tr -s '\t\n ' '   ' | sed 's/ $//'
}

is_number() {
    case $1 in
        '' | *[!0-9]*) return 1 ;;
    esac
}

# at_least NAME CURRENT MINIMUM / at_most NAME CURRENT MAXIMUM
at_least() {
    if [ "$2" = unlimited ]; then row "$1" "$2" "at least $3" ok
    elif ! is_number "$2"; then row "$1" "${2:--}" "at least $3" unknown
    elif [ ${#2} -gt 18 ] || [ "$2" -ge "$3" ]; then row "$1" "$2" "at least $3" ok
    else row "$1" "$2" "at least $3" differs
    fi
}

at_most() {
    if ! is_number "$2"; then row "$1" "${2:--}" "at most $3" unknown
    elif [ ${#2} -le 18 ] && [ "$2" -le "$3" ]; then row "$1" "$2" "at most $3" ok
    else row "$1" "$2" "at most $3" differs
    fi
}

# one_of NAME CURRENT "WORD WORD.."
one_of() {
    wanted=$(printf '%s' "$3" | sed 's/ / or /g')
    if [ -z "$2" ]; then row "$1" - "$wanted" unknown; return; fi
    for word in $3; do
        if [ "$2" = "$word" ]; then row "$1" "$2" "$wanted" ok; return; fi
    done
    row "$1" "$2" "$wanted" differs
}

sysctl_value() {
    first_line "$root/proc/sys/$(printf '%s' "$1" | tr . /)"
}

sysctl_at_least() { at_least "$1" "$(sysctl_value "$1")" "$2"; }
sysctl_at_most() { at_most "$1" "$(sysctl_value "$1")" "$2"; }
sysctl_one_of() { one_of "$1" "$(sysctl_value "$1")" "$2"; }

# The third of three numbers, or the width of a range of two.
sysctl_max_at_least() {
    # shellcheck disable=SC2046  # the words are wanted
    set -- "$1" "$2" $(sysctl_value "$1")
    at_least "$1 (max)" "${5:-}" "$2"
}

sysctl_width_at_least() {
    # shellcheck disable=SC2046  # the words are wanted
    set -- "$1" "$2" $(sysctl_value "$1")
    if is_number "${3:-}" && is_number "${4:-}"; then
        at_least "$1 (width)" $(($4 - $3 + 1)) "$2"
    else
        at_least "$1 (width)" "" "$2"
    fi
}

# --- the rows --------------------------------------------------------------------------------

check_kernel() {
    heading 'KERNEL'
    sysctl_one_of kernel.io_uring_disabled '0'
    sysctl_at_least fs.file-max 1000000
    sysctl_at_least fs.nr_open 1048576
    sysctl_one_of kernel.numa_balancing '0'
    one_of transparent_hugepage "$(
        first_line "$root/sys/kernel/mm/transparent_hugepage/enabled" | sed 's/.*\[\(.*\)\].*/\1/'
    )" 'madvise never'
}

check_connections() {
    heading 'CONNECTIONS'
    sysctl_at_least net.core.somaxconn 4096
    sysctl_at_least net.ipv4.tcp_max_syn_backlog 8192
    sysctl_width_at_least net.ipv4.ip_local_port_range 50000
    sysctl_one_of net.ipv4.tcp_tw_reuse '1 2'
    sysctl_at_most net.ipv4.tcp_fin_timeout 30
    sysctl_at_least net.core.netdev_max_backlog 5000
}

check_throughput() {
    heading 'THROUGHPUT'
    sysctl_at_least net.core.rmem_max 4194304
    sysctl_at_least net.core.wmem_max 4194304
    sysctl_max_at_least net.ipv4.tcp_rmem 6291456
    sysctl_max_at_least net.ipv4.tcp_wmem 4194304
    sysctl_one_of net.ipv4.tcp_congestion_control 'bbr'
    sysctl_one_of net.core.default_qdisc 'fq'
    sysctl_one_of net.ipv4.tcp_slow_start_after_idle '0'
    sysctl_one_of net.core.busy_poll '0'
    sysctl_one_of net.core.busy_read '0'
}

limit() {
    [ -r "$root/proc/self/limits" ] || return 0
    sed -n "s/^$1  *\([^ ]*\) .*/\1/p" "$root/proc/self/limits"
}

check_limits() {
    heading 'LIMITS (of this shell)'
    at_least 'nofile' "$(limit 'Max open files')" 65536
    at_least 'memlock (bytes)' "$(limit 'Max locked memory')" 67108864
}

# The exit latency of the deepest idle state that is enabled, over all cores, in microseconds.
deepest_idle() {
    deepest=
    for state in "$root"/sys/devices/system/cpu/cpu[0-9]*/cpuidle/state[0-9]*; do
        latency=$(first_line "$state/latency")
        is_number "$latency" || continue
        [ "$(first_line "$state/disable")" != 1 ] || continue
        [ "$latency" -le "${deepest:--1}" ] || deepest=$latency
    done
    printf '%s' "$deepest"
}

# Every governor in use, each once.
governors() {
    for file in "$root"/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor; do
        first_line "$file"
        echo
    done | sort -u | tr '\n' ' ' | sed 's/^ *//; s/ *$//'
}

check_processor() {
    heading 'PROCESSOR'
    one_of 'cpufreq governor' "$(governors)" performance
    at_most 'deepest C-state (us to leave)' "$(deepest_idle)" 10
    one_of 'SMT active' "$(first_line "$root/sys/devices/system/cpu/smt/active")" 0
}

default_interface() {
    [ -r "$root/proc/net/route" ] || return 0
    while read -r name destination _; do
        if [ "$destination" = 00000000 ]; then printf '%s' "$name"; return; fi
    done <"$root/proc/net/route"
}

count_cores() {
    count=0
    for core in "$root"/sys/devices/system/cpu/cpu[0-9]*; do
        [ ! -d "$core" ] || count=$((count + 1))
    done
    printf '%s' "$count"
}

count_queues() {
    count=0
    for queue in "$1"/queues/"$2"-[0-9]*; do
        [ ! -d "$queue" ] || count=$((count + 1))
    done
    [ "$count" = 0 ] || printf '%s' "$count"
}

# Whether any queue has a CPU mask for software steering.
steering() {
    found=
    for file in "$1"/queues/"$2"-[0-9]*/"$3"; do
        mask=$(first_line "$file" | tr -d '0,')
        [ -r "$file" ] && [ -z "$found" ] && found=off
        [ -z "$mask" ] || found=on
    done
    printf '%s' "$found"
}

# Of the card's interrupts: how many may run on more than one core.
wandering_interrupts() {
    seen=0
    wandering=0
    for irq in "$1"/device/msi_irqs/[0-9]*; do
        [ -e "$irq" ] || continue
        cores=$(first_line "$root/proc/irq/${irq##*/}/effective_affinity_list")
        [ -n "$cores" ] || cores=$(first_line "$root/proc/irq/${irq##*/}/smp_affinity_list")
        [ -n "$cores" ] || continue
        seen=$((seen + 1))
        case $cores in *[!0-9]*) wandering=$((wandering + 1)) ;; esac
    done
    [ "$seen" = 0 ] || printf '%s' "$wandering"
}

# ethtool_value FLAG SECTION FIELD: what ethtool says where it is installed and the card answers.
ethtool_value() {
    [ -z "$root" ] && command -v ethtool >/dev/null 2>&1 || return 0
    ethtool "$1" "$interface" 2>/dev/null |
        awk -v section="$2" -v field="$3" '
            index($0, section) == 1 { inside = 1; next }
            inside && index($0, field ":") == 1 { print $NF; exit }'
}

# `same NAME CURRENT MAXIMUM`: a ring should be as large as the card allows.
same() {
    if ! is_number "$2" || ! is_number "$3"; then row "$1" "${2:--}" "the card's maximum" unknown
    elif [ "$2" -eq "$3" ]; then row "$1" "$2" "$3 (the card's maximum)" ok
    else row "$1" "$2" "$3 (the card's maximum)" differs
    fi
}

check_network_card() {
    [ -n "$interface" ] || interface=$(default_interface)
    card=$root/sys/class/net/${interface:-none}
    cores=$(count_cores)
    queues=$(count_queues "$card" rx)
    heading "NETWORK CARD (${interface:-no default route})"
    at_least 'receive queues (RSS)' "$queues" "$cores"
    if is_number "$queues" && [ "$queues" -lt "$cores" ]; then
        one_of 'RPS (fewer queues than cores)' "$(steering "$card" rx rps_cpus)" on
    else
        one_of 'RPS (a queue for each core)' "$(steering "$card" rx rps_cpus)" off
    fi
    one_of 'XPS' "$(steering "$card" tx xps_cpus)" on
    at_most 'interrupts on more than one core' "$(wandering_interrupts "$card")" 0
    same 'receive ring' "$(ethtool_value -g 'Current' RX)" "$(ethtool_value -g 'Pre-set' RX)"
    same 'transmit ring' "$(ethtool_value -g 'Current' TX)" "$(ethtool_value -g 'Pre-set' TX)"
    one_of 'adaptive receive coalescing' "$(adaptive_coalescing)" on
    at_least 'napi_defer_hard_irqs' "$(first_line "$card/napi_defer_hard_irqs")" 2
    at_least 'gro_flush_timeout (ns)' "$(first_line "$card/gro_flush_timeout")" 20000
    one_of 'NUMA node of the card' "$(first_line "$card/device/numa_node")" '0 -1'
}

adaptive_coalescing() {
    [ -z "$root" ] && command -v ethtool >/dev/null 2>&1 || return 0
    ethtool -c "$interface" 2>/dev/null | sed -n 's/^Adaptive RX: \([a-z]*\).*/\1/p'
}

check_kernel
check_connections
check_throughput
check_limits
check_processor
check_network_card

printf '\n%s of these differ. Reasons, and when not to follow them: tuning/README.md\n' "$differing"
if [ "$strict" = yes ] && [ "$differing" -gt 0 ]; then
    exit 1
fi
exit 0
