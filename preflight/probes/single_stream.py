"""httpcore's HTTP/2 connection for one request at a time.

httpcore offers a hundred streams and then takes and gives back each of them through a semaphore that yields to the
event loop: 198 turns of the loop for every connection, a third of a large run's processor time. With one stream offered
nothing is left to take. Should a later httpcore not call this method any more, it is slower and just as right.
"""

import h2.settings
import httpcore

from preflight.probes.wire import HEAD_LIMIT


class SingleStream(httpcore.AsyncHTTP2Connection):
    """As its base, announcing SETTINGS_MAX_CONCURRENT_STREAMS 1; server push is off either way (RFC 9113, 6.5.2)."""

    async def _send_connection_init(self, request: httpcore.Request) -> None:  # noqa: ARG002 - httpcore's signature
        codes = h2.settings.SettingCodes
        self._h2_state.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                codes.ENABLE_PUSH: 0,
                codes.MAX_CONCURRENT_STREAMS: 1,
                codes.MAX_HEADER_LIST_SIZE: HEAD_LIMIT,
            },
        )
        del self._h2_state.local_settings[codes.ENABLE_CONNECT_PROTOCOL]  # as httpcore: some servers balk at it
        self._h2_state.initiate_connection()
        self._h2_state.increment_flow_control_window(2**24)  # goes out with the request: one TLS record, one packet
