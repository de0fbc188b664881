#!/bin/sh
# One training on all GPUs of this machine, or of several machines, started by torchrun.
#
#   sh experiments/cluster/torchrun.sh --config experiments/configs/portrait_gan/paper.yaml \
#     --config experiments/configs/trainer/ddp.yaml
#
# Several machines: start the same line on each, with the same code and data at the same paths, and
#   MACHINES=2 HOST=first.machine PROCESSES=4 sh experiments/cluster/torchrun.sh ... --trainer.num_nodes 2
# PROCESSES: GPUs, and so processes, of each machine. HOST: the first machine, at which all meet; PORT: where.
# Further words go to inkspeak fit. It resumes with --ckpt_path .../last.ckpt; batch_size counts on each process.
set -eu
: "${PROCESSES:=gpu}" "${MACHINES:=1}" "${PORT:=29500}"
if [ "$MACHINES" = 1 ]; then
  meet="--standalone"
else
  meet="--rdzv-backend c10d --rdzv-endpoint ${HOST:?name the first machine}:$PORT"
fi
# shellcheck disable=SC2086  # two options in one variable
exec python -m torch.distributed.run $meet --nnodes "$MACHINES" --nproc-per-node "$PROCESSES" -m experiments fit "$@"
