#!/usr/bin/env bash
# From public dialogue rows to a published dataset of skill-of-mind, on one machine, in a minute or two.
#
#   pip install '.[data]' xllamacpp && bash runs/data_small.sh [OUTPUT]          (about 80 s on two cores)
#
# Nothing here is pretended: the rows are few, but every stage is the one that a million rows would go through. The
# annotator is the weak spot. It is the embedded engine's base, 135M parameters and not tuned, behind a real HTTP server,
# so that no key and no GPU is needed. Its explanations are poor and its skills close to guesses: don't train on them.
# With a real one, set MODEL, BASE_URL and CONCURRENCY (and OPENAI_API_KEY), for example
#
#   MODEL=openai/gpt-4o-mini BASE_URL=https://api.openai.com/v1 CONCURRENCY=64 bash runs/data_small.sh
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-outputs/data_small}
sources="casino empathetic_dialogues daily_dialog"
mkdir -p "$out"

# 1. Raw rows. examples/sources holds a few of each set, written for this project in the schema of the set's hub release;
#    put the real files there (or use --hub) and all else stays the same. How many rows parse, and why don't the others?
#    `sources read` shows what a row becomes; later stages read the raw files themselves.
for name in $sources; do
    thanos sources check "$name" "examples/sources/$name.jsonl"
    thanos sources read "$name" "examples/sources/$name.jsonl" -o "$out/dialogues/$name.jsonl"
done

# 2. Turns. Each is a dialogue up to somewhere, and the true next turn. Which ones, a recipe and its seed decide.
thanos turns runs/data_small.turns.yaml --data examples/sources -o "$out/turns.jsonl"

# 3. The annotator. Any OpenAI-compatible endpoint will do; without one we start our own and stop it at the end.
if [ -z "${BASE_URL:-}" ]; then
    MODEL=openai/base
    python runs/serve_base.py --port 0 >"$out/server.url" 2>"$out/server.log" &
    server=$!
    trap 'kill "$server" 2>/dev/null || true' EXIT
    until [ -s "$out/server.url" ]; do # the first time, the base is fetched (93 MB)
        kill -0 "$server" 2>/dev/null || { tail -n 20 "$out/server.log" >&2; exit 1; }
        sleep 0.2
    done
    BASE_URL=$(cat "$out/server.url")
fi

# 4. Annotate. Rows are written as they come; after a stop the same command goes on. Exit code 1 says that some turns
#    got no usable answer (they are in annotated.failed.jsonl, with the reason): with this annotator we expect that, and
#    go on with the others.
thanos annotate run "$out/turns.jsonl" -o "$out/annotated.jsonl" -m "$MODEL" --base-url "$BASE_URL" \
    --concurrency "${CONCURRENCY:-1}" --timeout 300 --retries 2 --price 0.15,0.60 --max-cost 1 || [ $? -eq 1 ]

# 5. Validate. Dropped rows are kept in clean.dropped.jsonl, each with its reason.
thanos data validate "$out/annotated.jsonl" --recipe runs/data_small.validate.yaml -o "$out/clean.jsonl"

# 6. Split by dialogue. (Of eight dialogues the hash may well leave a part empty.)
thanos data split "$out/clean.jsonl" -o "$out/split" --validation 0.2 --test 0.2

# 7. Describe: tables here, plots and a page in stats/.
thanos data stats "$out/clean.jsonl" -o "$out/stats"

# 8. Publish: Parquet, a dataset card, and the stand-off form without any dialogue text.
thanos data publish "$out/split" -o "$out/published" --title "Skill-of-mind, a small run"

# 9. And back: whoever has the raw rows makes the whole dataset of the stand-off form again.
thanos data join "$out"/published/standoff/*.parquet --data examples/sources -o "$out/joined.jsonl"

echo "done: $out/published"
