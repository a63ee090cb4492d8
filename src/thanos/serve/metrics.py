"""What the server counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """The metrics of one server; they have their own registry, so that servers in one process don't mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = {"registry": self.registry}
        self.requests = Counter("thanos_requests", "Answers, by path and status.", ["path", "status"], **own)
        self.in_flight = Gauge("thanos_requests_in_flight", "POST requests in hand.", **own)
        self.seconds = Histogram(
            "thanos_request_seconds", "Whole answers, streams to their end.", ["path"], buckets=SECONDS, **own
        )
        self.plans = Counter("thanos_plans", "Chat replies, by what came of their plan.", ["outcome"], **own)
        self.plan_seconds = Histogram("thanos_plan_seconds", "Waiting for a plan.", buckets=SECONDS, **own)
        self.skills = Counter("thanos_skills", "Planned skills.", ["skill"], **own)
        self.batch_rows = Histogram(
            "thanos_batch_rows",
            "Dialogues that an engine got together.",
            ["work"],
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            **own,
        )
        self.upstream_failures = Counter("thanos_upstream_failures", "Upstream calls that failed.", ["kind"], **own)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
