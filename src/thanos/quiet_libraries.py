"""Keep what libraries say to their own developers out of terminals and logs. For processes that are ours alone."""

import os
import sys
import warnings


def quiet_libraries() -> None:
    """Libraries' bars on a terminal only, as ours are, and no warnings that the user can do nothing about.

    Comes before tqdm is imported, which reads its switch then.
    """
    if not sys.stderr.isatty():
        # transformers' own switch doesn't reach its GGUF loader.
        os.environ.setdefault("TQDM_DISABLE", "1")
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|trl")
    # At every checkpoint, where there is no network: PEFT wants to know whether the base's vocabulary was changed.
    unseen = "Could not find a config file in|Unable to fetch remote file"
    warnings.filterwarnings("ignore", message=unseen, category=UserWarning, module="peft")
