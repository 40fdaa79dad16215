"""The same application in Python: the contract of the headers without a helper.

    pip install confluent-kafka
    python3 examples/retry/billing.py [BOOTSTRAP [SOURCE [GROUP [PIPELINE]]]]
"""

import json
import sys
import traceback

from confluent_kafka import Consumer, Producer

BOOTSTRAP, SOURCE, GROUP, PIPELINE = (sys.argv[1:] + ["localhost:9092", "orders.created", "billing", "default.billing"][len(sys.argv) - 1 :])[:4]

# Of an earlier failure: none of it may outlive a new one.
REPLACED = {"sluice-disposition", "sluice-retry-after"}


class Rejected(Exception):
    """No delivery will ever succeed."""


class RetryAfter(Exception):
    """Come again after this duration."""

    def __init__(self, after, message):
        super().__init__(message)
        self.after = after


def bill(order, attempt):
    if order["total"] < 0:
        raise Rejected(f"order {order['id']} has a negative total")
    if attempt < order.get("bankAnswersAt", 1):
        raise RetryAfter("1s", f"the bank is busy with order {order['id']}")
    if order["total"] > 1_000_000:
        raise OverflowError(f"order {order['id']} is beyond the limit")
    print(f"billed {order['id']} at delivery {attempt}", flush=True)


def failure_headers(message, error):
    """All headers as they came, this failure instead of the last one, and the origin if it is the first."""
    kept = [(name, value) for name, value in message.headers() or [] if name not in REPLACED and not name.startswith("sluice-error-")]
    if not any(name == "sluice-origin-topic" for name, _ in kept):
        kept += [
            ("sluice-origin-topic", message.topic()),
            ("sluice-origin-partition", str(message.partition())),
            ("sluice-origin-offset", str(message.offset())),
            ("sluice-origin-timestamp", str(message.timestamp()[1])),
            ("sluice-origin-group", GROUP),
        ]
    kept += [
        ("sluice-error-class", type(error).__name__),
        ("sluice-error-message", str(error)[:4096]),
        ("sluice-error-stack", "".join(traceback.format_exception(error))[:8192]),
    ]
    if isinstance(error, Rejected):
        kept.append(("sluice-disposition", "rejected"))
    if isinstance(error, RetryAfter):
        kept.append(("sluice-retry-after", error.after))
    return kept


def attempt_of(message):
    told = [value for name, value in message.headers() or [] if name == "sluice-attempt"]
    return int(told[-1]) if told else 1


consumer = Consumer(
    {
        "bootstrap.servers": BOOTSTRAP,
        "group.id": GROUP,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.auto.offset.store": False,
    }
)
producer = Producer({"bootstrap.servers": BOOTSTRAP, "enable.idempotence": True})
consumer.subscribe([SOURCE, f"{PIPELINE}.redelivery"])
while True:
    message = consumer.poll(1.0)
    if message is None or message.error():
        continue
    try:
        bill(json.loads(message.value()), attempt_of(message))
    except Exception as error:  # whatever it is, it is a failure of this delivery
        producer.produce(f"{PIPELINE}.retry", message.value(), message.key(), headers=failure_headers(message, error))
        if producer.flush(30) > 0:
            raise SystemExit("the retry topic cannot be written: stop, so that nothing is dropped")
    # Only now: a crash before this delivers the record again.
    consumer.store_offsets(message)
