#!/usr/bin/env bash
# Try many configurations on one GPU, several at a time: a 135M model alone leaves most of it idle.
#
#   bash runs/embedded/sweep.sh WORK OUT [SECONDS]
#
# WORK holds base.safetensors and data.npz; scores on the dev rows and logits go to OUT. A run that would not end in
# time anneals by the end of it. EXTRA holds flags for every run (for a trial: EXTRA="--limit 8 --batch 4").
set -uo pipefail
work=$1 out=$2 seconds=${3:-400}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out"
export PYTHONUNBUFFERED=1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True OMP_NUM_THREADS=2
begun=$(date +%s)

left() { echo $((seconds - $(date +%s) + begun)); }
try() { # NAME FLAGS...: one run, unless there is no time left for it
    [ "$(left)" -lt 45 ] && { echo "no time for $1"; return; }
    minutes=$(awk "BEGIN {print ($(left) - 25) / 60}")
    python3 "$here/train.py" --work "$work" --out "$out" --minutes "$minutes" --name "$@" ${EXTRA:-} >"$out/$1.log" 2>&1 ||
        { echo "$1 failed: $(tail -n 1 "$out/$1.log" | cut -c1-300)"; return; }
    echo "$(($(date +%s) - begun)) s: $(grep '"epoch"' "$out/$1.log" | tail -n 1)"
}

list() {
    cat <<'LIST'
base-0
orig-0 --rows gold,original
write0.3-0 --write 0.3
lora64-5e-4-0 --rank 64 --lr 5e-4
rdrop-0 --dropout 0.1 --head_dropout 0.1 --r_drop 1
base-1 --seed 1
also0.3-0 --also 0.3
smooth0.1-0 --smooth 0.1
decay0.9-0 --layer_decay 0.9
dropout0.1-0 --dropout 0.1 --head_dropout 0.1
epochs4-7e-5-0 --epochs 4 --lr 7e-5
write1-0 --write 1
everything-0 --everything
lora64-1e-3-0 --rank 64 --lr 1e-3
orig-1 --rows gold,original --seed 1
balance0.3-0 --balance 0.3
head3-0 --head_lr 3
batch16-0 --batch 16 --lr 7e-5
lr2e-4-0 --lr 2e-4
LIST
}

export -f try left
export work out here begun seconds
list | xargs -P "${LANES:-3}" -L 1 bash -c 'try "$@"' try
echo "finished $(left) s before the end"
