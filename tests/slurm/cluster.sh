# A Slurm of two nodes on one machine, for tests: controller and first node on host1, the second node on host2 (tests/run/hosts.sh).
# Sourced behind it. Needs the packages slurm-wlm and munge.
# shellcheck shell=bash

slurm=$work/slurm
export SLURM_CONF=$slurm/slurm.conf

start_slurm() {
  mkdir -p "$slurm/state" /run/munge
  chown munge: /run/munge 2> /dev/null || true
  pgrep -x munged > /dev/null || setpriv --reuid munge --regid munge --clear-groups munged
  cat > "$SLURM_CONF" << CONF
ClusterName=trial
SlurmctldHost=host1
AuthType=auth/munge
SlurmUser=root
StateSaveLocation=$slurm/state
SlurmdSpoolDir=$slurm/spool-%n
SlurmctldPidFile=$slurm/slurmctld.pid
SlurmdPidFile=$slurm/%n.pid
SlurmctldLogFile=$slurm/slurmctld.log
SlurmdLogFile=$slurm/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
TmpFS=$private
MinJobAge=3600
KillWait=20
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=host[1-2] CPUs=2 RealMemory=4000
PartitionName=normal Nodes=host[1-2] Default=YES PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes=host[1-2] PriorityTier=10 PreemptMode=OFF
CONF
  on_host host1 "SLURM_CONF=$SLURM_CONF slurmctld"
  on_host host1 "SLURM_CONF=$SLURM_CONF slurmd -N host1"
  on_host host2 "SLURM_CONF=$SLURM_CONF slurmd -N host2"
  local i
  for ((i = 0; i < 100; ++i)); do
    if [ "$(on_host host1 "SLURM_CONF=$SLURM_CONF sinfo -h -t idle -o %D -p normal")" = 2 ]; then return; fi
    sleep 0.2
  done
  echo "FAILED: the nodes do not come up" >&2
  tail -5 "$slurm"/*.log >&2
  exit 1
}

# A command of Slurm, on the first node.
on_slurm() { on_host host1 "export SLURM_CONF=$SLURM_CONF; $*"; }
