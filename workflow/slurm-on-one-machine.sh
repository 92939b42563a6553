#!/usr/bin/env bash
# A Slurm of one node on this machine, without systemd and without an accounting database: to try the workflow's slurm profile.
#   sudo workflow/slurm-on-one-machine.sh up|down
# Needs Debian's or Ubuntu's packages: apt-get install slurmctld slurmd slurm-client munge
# Everything lies in one folder, /var/tmp/slurm-on-one-machine, but for a link to its slurm.conf in /etc/slurm, where every client looks.
# `up` again changes nothing; `down` cancels all jobs, stops the daemons and removes the folder and the link.
set -euo pipefail

home=/var/tmp/slurm-on-one-machine
link=/etc/slurm/slurm.conf
unset SLURM_CONF

fail() { echo "slurm-on-one-machine: $*" >&2; exit 1; }

alive() { [ -e "$home/$1.pid" ] && kill -0 "$(cat "$home/$1.pid")" 2>/dev/null; }

ours() { [ "$(readlink "$link")" = "$home/slurm.conf" ]; }

configure() {
    local host cpus memory
    host=$(hostname -s) cpus=$(getconf _NPROCESSORS_ONLN) memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.95)}' /proc/meminfo)
    cat > "$home/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$home/munge.socket
CredType=cred/munge
SlurmctldPidFile=$home/slurmctld.pid
SlurmdPidFile=$home/slurmd.pid
SlurmctldLogFile=$home/slurmctld.log
SlurmdLogFile=$home/slurmd.log
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=3600
KillWait=5
SchedulerParameters=sched_interval=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE OverSubscribe=NO State=UP
CONF
}

up() {
    local tool
    for tool in munged slurmctld slurmd sbatch squeue; do
        command -v "$tool" > /dev/null || fail "$tool is not installed: apt-get install slurmctld slurmd slurm-client munge"
    done
    [ ! -e "$link" ] || ours || fail "$link is there already: this machine has a Slurm; use that one"
    mkdir -p "$home/state" "$home/spool" "$(dirname "$link")"
    chmod 755 "$home"
    [ -e "$home/munge.key" ] || (umask 077; head -c 1024 /dev/urandom > "$home/munge.key")
    chown -R root: "$home"
    configure
    ln -sfn "$home/slurm.conf" "$link"
    alive munged || munged --force --key-file="$home/munge.key" --socket="$home/munge.socket" --pid-file="$home/munged.pid" \
        --log-file="$home/munged.log" --seed-file="$home/munged.seed"
    alive slurmctld || slurmctld
    alive slurmd || slurmd -N "$(hostname -s)"
    for _ in $(seq 60); do
        [ "$(sinfo --noheader --format=%T 2> /dev/null)" = idle ] && { echo up; return; }
        sleep 0.5
    done
    fail "no idle node after 30 s; see $home/slurmctld.log and $home/slurmd.log"
}

remove() {
    ! ours || rm "$link"
    rm -rf "$home"
    echo down
}

down() {
    local daemon
    if alive slurmctld; then
        squeue --noheader --format=%i | xargs --no-run-if-empty scancel
        for _ in $(seq 60); do
            [ -z "$(squeue --noheader)" ] && break
            sleep 0.5
        done
    fi
    for daemon in slurmd slurmctld munged; do
        ! alive "$daemon" || kill "$(cat "$home/$daemon.pid")"
    done
    for _ in $(seq 60); do
        alive slurmd || alive slurmctld || alive munged || { remove; return; }
        sleep 0.5
    done
    fail "a daemon has not stopped after 30 s; see $home"
}

[ "$(id -u)" = 0 ] || fail "needs root: the daemons run as root"
if command -v systemctl > /dev/null && { systemctl is-active --quiet slurmctld || systemctl is-active --quiet slurmd; } 2> /dev/null; then
    fail "systemd runs a Slurm on this machine already: use that one"
fi
case "${1:-}" in
    up) up ;;
    down) down ;;
    *) fail "it is: $0 up|down" ;;
esac
