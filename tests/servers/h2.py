"""A small HTTP/2 server over asyncio streams: one answer for every request, or a scripted sequence of events."""

import asyncio
from collections.abc import Callable

import h2.config
import h2.connection
import h2.events

from servers.raw import Handler

Act = Callable[[h2.connection.H2Connection, int], None]


def answering(status: int = 200, body: bytes = b"{}", headers: tuple[tuple[str, str], ...] = ()) -> Handler:
    """Every request gets this answer."""

    def act(connection: h2.connection.H2Connection, stream: int) -> None:
        connection.send_headers(stream, [(":status", str(status)), *headers])
        for start in range(0, len(body), 16_000):
            connection.send_data(stream, body[start : start + 16_000])
        connection.end_stream(stream)

    return acting(act)


def acting(act: Act) -> Handler:
    """Speaks HTTP/2 and does `act` for each complete request."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        config = h2.config.H2Configuration(client_side=False, validate_outbound_headers=False)
        connection = h2.connection.H2Connection(config=config)
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.StreamEnded):
                    act(connection, event.stream_id)
            writer.write(connection.data_to_send())
            await writer.drain()

    return handler
