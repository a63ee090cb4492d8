#!/usr/bin/env bash
# Try many configurations on one GPU, several at a time: a 135M model alone leaves most of it idle.
#
#   bash runs/embedded/sweep.sh WORK OUT [SECONDS]
#
# WORK holds base.safetensors and data.npz; scores, logits and soft.npz go to OUT as they are done. One lane makes
# the dialogue-tuned base, the teachers, their soft targets and students of them; the others work through the list below.
# EXTRA holds flags for every run (for a trial: EXTRA="--limit 8 --batch 4").
set -uo pipefail
work=$1 out=$2 seconds=${3:-400}
here=$(cd "$(dirname "$0")" && pwd)
runs=$work/runs
mkdir -p "$runs" "$out"
export PYTHONUNBUFFERED=1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True OMP_NUM_THREADS=2
begun=$(date +%s)

left() { echo $((seconds - 15 - $(date +%s) + begun)); }
try() { # NAME FLAGS...: one run, unless there is no time left for it
    [ "$(left)" -lt 30 ] && { echo "no time for $1"; return 1; }
    local minutes
    minutes=$(awk "BEGIN {print ($(left) - 12) / 60}")
    timeout -k 3 "$(left)" python3 "$here/train.py" --work "$work" --out "$runs" --minutes "$minutes" --name "$@" ${EXTRA:-} \
        >"$runs/$1.log" 2>&1 || { echo "$1 failed: $(tail -n 1 "$runs/$1.log" | cut -c1-300)"; return 1; }
    echo "$(($(date +%s) - begun)) s: $(grep '"epoch"' "$runs/$1.log" | tail -n 1)"
}
collect() { # what there is so far, in few files; never a half-written one
    (cd "$runs" && ls -- *.json *.npz *.log 2>/dev/null | grep -v -- '-all.npz' | tar -cf "$work/results.tar" -T -) 2>/dev/null
    cp "$work/results.tar" "$out/results.tar.new" && mv "$out/results.tar.new" "$out/results.tar"
}

teach() {
    try dialogue --task dialogue --rows unlabelled --lr 1e-4 --epochs 1 --save "$work/dialogue.safetensors" || return
    lm="--init $work/dialogue.safetensors --fresh_head"
    for fold in 0 1 2 3; do
        try teacher$fold --task teacher --rows gold,original --fold $fold --folds 4 --write 0.1 --predict all $lm &
    done
    wait
    (cd "$here" && python3 label.py --work "$work" --teachers "$runs"/teacher[0-3]-all.npz --out "$work/soft.npz" \
        --students "$runs/base-0-all.npz") 2>&1 | tee "$runs/label.log" || return
    cp "$work/soft.npz" "$out/soft.npz"
    soft="--soft $work/soft.npz --rows gold,original,unlabelled --batch 64 --lr 1.5e-4"
    try domain-0 $lm --rows gold,original &
    try domain-1 $lm --rows gold,original --seed 1 &
    try pupil-0 $lm $soft --epochs 2 --soften 0.3 --save "$work/pupil-0.safetensors" &
    try pupil-own-0 $lm $soft --epochs 2 --soften 0.3 --own_sources &
    wait
    for lr in 2e-5 5e-5; do
        try finish-$lr --init "$work/pupil-0.safetensors" --rows gold,original --lr $lr --epochs 2 &
    done
    try finish-soft-5e-5 --init "$work/pupil-0.safetensors" --soft "$work/soft.npz" --soften 0.3 --rows gold,original --lr 5e-5 --epochs 2 &
    wait
}

list() {
    cat <<'LIST'
base-0 --predict all
orig-0 --rows gold,original
base-1 --seed 1
also0.3-0 --also 0.3
write0.3-0 --write 0.3
lora64-5e-4-0 --rank 64 --lr 5e-4
smooth0.1-0 --smooth 0.1
everything-0 --everything
decay0.9-0 --layer_decay 0.9
dropout0.1-0 --dropout 0.1 --head_dropout 0.1
base-2 --seed 2
orig-1 --rows gold,original --seed 1
lora64-1e-3-0 --rank 64 --lr 1e-3
lr2e-4-0 --lr 2e-4
epochs4-7e-5-0 --epochs 4 --lr 7e-5
head3-0 --head_lr 3
rdrop-0 --dropout 0.1 --head_dropout 0.1 --r_drop 1
also0.3-1 --also 0.3 --seed 1
write1-0 --write 1
decay0.9-1 --layer_decay 0.9 --seed 1
smooth0.1-1 --smooth 0.1 --seed 1
batch16-0 --batch 16 --lr 7e-5
balance0.3-0 --balance 0.3
dropout0.1-1 --dropout 0.1 --head_dropout 0.1 --seed 1
lr5e-5-0 --lr 5e-5 --epochs 4
orig-2 --rows gold,original --seed 2
wd0.1-0 --weight_decay 0.1
also0-0 --also 0
LIST
}

(while sleep 15; do collect; done) &
collector=$!
teach &
teacher=$!
export -f try left
export work runs here begun seconds
list | xargs -P "${LANES:-3}" -L 1 bash -c 'try "$@"' try &
lanes=$!
wait $teacher $lanes
kill $collector
collect
echo "finished after $(($(date +%s) - begun)) s"
