"""Passes what the gateway reads on to other programs: one module per consumer, each off until it is configured.

A publisher takes live values from the event stream, and registers from the stored outbox: a consumer that is away for
a day loses no register, and never gets one below the last that it got.
"""

from wattrail.publish.consumer import ConsumerContext, ConsumerPlan, Publisher
from wattrail.publish.status import PublisherBoard, PublisherState, PublisherStatus

__all__ = ["ConsumerContext", "ConsumerPlan", "Publisher", "PublisherBoard", "PublisherState", "PublisherStatus"]
