from tests.sources.conftest import broker

__all__ = ["broker"]
