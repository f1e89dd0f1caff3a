"""The health check of the container: says what the gateway says of itself. Exit code 1 where nothing answers."""

from __future__ import annotations

import json
import ssl
import sys
from http.client import HTTPException
from urllib.request import urlopen

PORT = 8042
WAITS = "the page waits for its first user: docker exec -it CONTAINER wattrail user add NAME --scope admin"


def health(port: int = PORT) -> dict[str, object]:
    """What /api/v1/health answers, without TLS or with it. Raises OSError, HTTPException."""
    try:
        return asked(f"http://127.0.0.1:{port}/api/v1/health")
    except (OSError, HTTPException):
        return asked(f"https://127.0.0.1:{port}/api/v1/health")


def asked(url: str) -> dict[str, object]:
    """The JSON at a URL of this machine."""
    context = ssl.create_default_context()
    # The certificate is for the name that others type, and nobody is between 127.0.0.1 and itself.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with urlopen(url, timeout=2, context=context) as answer:
        found = json.load(answer)
    if not isinstance(found, dict):
        raise ValueError(f"{url} answers something else than wattrail does")
    return found


def main(port: int = PORT) -> int:
    """One check."""
    try:
        found = health(port)
    except (OSError, HTTPException, ValueError) as error:
        sys.stdout.write(f"the page does not answer: {error}\n")
        return 1
    sys.stdout.write(f"{found.get('status')}\n")
    if found.get("waits_for_user"):
        sys.stdout.write(f"{WAITS}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
