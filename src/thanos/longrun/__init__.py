"""What every long run shares: an output that survives a kill, a progress bar, and a gentle stop."""

from thanos.longrun.interrupt import Stop, graceful_stop
from thanos.longrun.journal import Journal
from thanos.longrun.progress import count_lines, progress_bar

__all__ = ["Journal", "Stop", "count_lines", "graceful_stop", "progress_bar"]
