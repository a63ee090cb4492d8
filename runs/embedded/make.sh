#!/usr/bin/env bash
# Make the embedded model again: from the base's weights and the annotated turns to a file like the one that ships.
#
#   bash runs/embedded/make.sh BASE.gguf ../shared WORK        # 17 minutes on one H200, Python with extra train
#
# Each stage is skipped if its result is there: an interrupted run goes on with the same command. EXTRA holds flags for
# every run (for a trial: EXTRA="--limit 2 --batch 2").
set -euo pipefail
gguf=$1 shared=$2 work=$3
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$work/runs"
labelled=gold,dev,original # the recipe was chosen with gold and original alone, by the dev rows
export PYTHONUNBUFFERED=1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True

train() { # NAME FLAGS...: one run of train.py; its weights are $work/NAME.safetensors
    [ -f "$work/$1.safetensors" ] || python3 "$here/train.py" --work "$work" --out "$work/runs" --minutes 60 \
        --save "$work/$1.safetensors" --name "$@" ${EXTRA:-}
}

wait_for_both() { # Wait for the runs in the background; a failed one ends it all. Two runs fill one GPU.
    local job
    for job in $(jobs -p); do wait "$job"; done
}

[ -f "$work/base.safetensors" ] || python3 "$here/prepare.py" base --gguf "$gguf" --out "$work"
[ -f "$work/data.npz" ] || python3 "$here/prepare.py" data --shared "$shared" --out "$work"

# 1. The base reads whole dialogues of the sources, and a first student learns from the labelled rows alone.
train dialogue --task dialogue --rows unlabelled --epochs 1 &
train first --rows $labelled --predict all &
wait_for_both

# 2. Teachers, which also read the true response, say which skill it shows; each labelled row is judged by the teacher
#    that had not seen it.
teacher() { # FOLD
    train teacher$1 --task teacher --rows $labelled --fold $1 --folds 4 --write 0.1 --predict all \
        --init "$work/dialogue.safetensors" --fresh_head
}
teacher 0 & teacher 1 & wait_for_both
teacher 2 & teacher 3 & wait_for_both
[ -f "$work/soft.npz" ] || (cd "$here" && python3 label.py --work "$work" --out "$work/soft.npz" \
    --teachers "$work"/runs/teacher[0-3]-all.npz --students "$work/runs/first-all.npz")

# 3. A student of labelled and unlabelled rows, then of the labelled ones; it also learns to write explanations.
soft="--soft $work/soft.npz --soften 0.3 --write 0.3"
train pupil $soft --init "$work/dialogue.safetensors" --fresh_head --rows $labelled,unlabelled --unlabelled 14000 \
    --batch 64 --lr 1.5e-4 --epochs 1
train finish $soft --init "$work/pupil.safetensors" --rows $labelled --lr 5e-5 --epochs 1

# 4. Once more over all rows in two orders, averaged, finished twice, averaged.
for seed in 1 2; do
    train round2-$seed $soft --init "$work/finish.safetensors" --rows $labelled,unlabelled --batch 64 --lr 1.5e-4 \
        --epochs 1 --seed $seed &
done
wait_for_both
for seed in 1 2; do
    train finish2-$seed $soft --init "$work/round2-1.safetensors,$work/round2-2.safetensors" --rows $labelled \
        --lr 5e-5 --epochs 2 --seed $seed &
done
wait_for_both
train final --init "$work/finish2-1.safetensors,$work/finish2-2.safetensors" --epochs 0

# 5. What ships, and its scores as it comes out again.
python3 "$here/ship.py" "$work/final.safetensors" --skills "$work/data.npz" --out "$work/tuned.npz" --check "$work/shipped.safetensors"
train shipped-score --init "$work/shipped.safetensors" --epochs 0
python3 "$here/score.py" --work "$work" "$work"/runs/{first,finish,final,shipped-score}.npz
