#!/usr/bin/env bash
# One Kubernetes job for one of Snakemake's, through kubectl.
#   job.sh submit MEMORY_MB GPUS MINUTES SCRIPT    prints the job's name
#   job.sh status NAME                             prints running, success or failed
#   job.sh NAME...                                 cancels
set -euo pipefail

submit() {
    local memory=$1 gpus=$2 minutes=$3 script=$4 name environment=""
    for name in OMP_NUM_THREADS ${!PAPERLIB_@}; do
        environment+="{name: $name, value: \"${!name-}\"}, "
    done
    kubectl create --output name --filename - << YAML
apiVersion: batch/v1
kind: Job
metadata: {generateName: pose-}
spec:
  backoffLimit: 0
  activeDeadlineSeconds: $((60 * minutes))
  ttlSecondsAfterFinished: 86400
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: job
        image: ${POSE_IMAGE:?is not set: the image in which the jobs run}
        command: [bash, "$script"]
        workingDir: "$PWD"
        env: [${environment%, }]
        resources:
          requests: {cpu: 1, memory: ${memory}M}
          limits: {memory: ${memory}M, nvidia.com/gpu: $gpus}
        volumeMounts: [{name: pose, mountPath: "${POSE_MOUNT:?is not set: where the claim is mounted}"}]
      volumes: [{name: pose, persistentVolumeClaim: {claimName: "${POSE_CLAIM:?is not set: the claim that holds the checkout}"}}]
YAML
}

status() {
    local found wanted='jsonpath={.metadata.name} {.status.conditions[?(@.status=="True")].type}'
    found=$(kubectl get --ignore-not-found --output "$wanted" "$1") || found=unreachable
    case $found in
        *Complete*) echo success ;;
        "" | *Failed*) echo failed ;;
        *) echo running ;;
    esac
}

case ${1:?it is submit, status or a name} in
    submit) submit "${@:2}" ;;
    status) status "$2" ;;
    *) kubectl delete --ignore-not-found "$@" ;;
esac
