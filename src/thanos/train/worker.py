"""One of several training processes: python -m thanos.train.worker OUTPUT. `thanos.train.launch` starts them."""

import os
import sys

from thanos.errors import ThanosError
from thanos.quiet_libraries import quiet_libraries


def main(output: str) -> int:
    """Fit the run whose rows are encoded in the output folder."""
    from pathlib import Path

    from thanos.train.checkpoints import CONFIG_FILE
    from thanos.train.read_config import load_config

    quiet_libraries()
    try:
        config = load_config(str(Path(output) / CONFIG_FILE), ["--output", output])
        from thanos.train.fit import fit
        from thanos.train.model import training_tokenizer

        fit(config, training_tokenizer(config.base))
    except ThanosError as error:
        print(f"thanos: GPU {os.environ['LOCAL_RANK']}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
