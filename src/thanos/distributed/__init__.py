"""One long job over many processes and machines: shards of the input, each done by itself, over Ray Data."""

from thanos.distributed.ray_run import RayReport, ShardWork, run_on_ray
from thanos.distributed.shards import Shard, find_shards, read_shard

__all__ = ["RayReport", "Shard", "ShardWork", "find_shards", "read_shard", "run_on_ray"]
