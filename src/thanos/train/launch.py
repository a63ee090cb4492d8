"""One process for each GPU of this machine, with the variables by which accelerate finds the others."""

import os
import socket
import subprocess
import sys
import time

from thanos.errors import ThanosError
from thanos.train.config import TrainConfig

LOOK_EVERY = 0.2
"""Seconds between looks at the processes."""


def check_gpus(config: TrainConfig) -> None:
    """Make sure that there are as many GPUs as asked for; with one, keep the others out of sight.

    Raises:
        ThanosError: if there are fewer.
    """
    import torch

    have = torch.cuda.device_count()
    if config.gpus > 1 and config.gpus > have:
        raise ThanosError(f"gpus {config.gpus}: this machine has {have}")
    if config.gpus == 1 and have > 1 and not torch.cuda.is_initialized():
        os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]


def fit_on_gpus(config: TrainConfig) -> None:
    """Fit in `gpus` processes; the first that fails ends the others.

    Raises:
        ThanosError: if one fails; it has said why.
    """
    port = _free_port()
    children = [_start(config, rank, port) for rank in range(config.gpus)]
    try:
        while any(child.poll() is None for child in children):
            if any(child.poll() for child in children):
                break
            time.sleep(LOOK_EVERY)
    finally:
        for child in children:
            if child.poll() is None:
                child.terminate()
        codes = [child.wait() for child in children]
    if any(codes):
        raise ThanosError("training stopped (see above); the same command goes on from the newest checkpoint")


def _start(config: TrainConfig, rank: int, port: int) -> subprocess.Popen:
    number = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": config.gpus, "LOCAL_WORLD_SIZE": config.gpus}
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    variables = {name: str(value) for name, value in (number | place).items()}
    command = [sys.executable, "-m", "thanos.train.worker", str(config.output)]
    return subprocess.Popen(command, env=os.environ | variables)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
