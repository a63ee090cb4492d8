"""What inspect finds under the name `thanos` once this package is installed: the model provider."""

from inspect_ai.model import modelapi


@modelapi(name="thanos")
def thanos():
    """`inspect eval ... --model thanos/embedded`; loaded when used."""
    from thanos.bench.models.provider import ThanosAPI

    return ThanosAPI
