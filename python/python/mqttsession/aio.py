"""The session for asyncio: the same, awaitable, on any event loop and without a thread of its own.

>>> import asyncio
>>> from mqttsession import aio
>>> async def main():
...     async with aio.Session("mqtt://localhost") as session:
...         async with session.messages("sensors/#", qos=1) as messages:
...             await session.publish("sensors/kitchen", "21.5", qos=1)
...             async for message in messages:
...                 print(message.topic, message.payload)
...                 break
>>> asyncio.run(main())
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from . import _native
from .error import _error

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self, Unpack

    from ._native import Connected, Event, Message, Statistics
    from .error import MqttError
    from .options import Duration, Payload, Properties, QoS, SessionOptions

__all__ = ["Messages", "Session"]

# Short beside a wait that anybody would notice, long beside the time of a try.
_ROOM_PAUSE = 0.05


class Session:
    """A session with one MQTT broker, for one event loop.

    The arguments are those of :class:`mqttsession.Session`. ``async with`` connects; leaving it
    waits (at most ``connect_timeout``) until everything published has ended, disconnects and
    closes. A deadline for a call is ``asyncio.timeout()``; what the call waited for goes on then.

    A session belongs to the event loop in which it is used first. It is closed when its loop is.
    """

    def __init__(self, address: str = "localhost", **options: Unpack[SessionOptions]) -> None:
        """Make a session. Nothing is sent before it connects."""
        self._session = _native.Session(address, **options)
        self._patience = _seconds(options.get("connect_timeout"))
        self._room_patience = _seconds(options.get("outgoing_wait"))
        self._acknowledge_failed = options.get("acknowledge_failed") is not False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bound: _native.AsyncSession | None = None
        self._on_event: Callable[[Event], object] | None = None
        self._handlers: dict[asyncio.Task[None], _native.Stream] = {}

    def _bind(self) -> _native.AsyncSession:
        loop = asyncio.get_running_loop()
        if self._loop is not loop or self._bound is None:
            if self._loop is not None:
                raise RuntimeError("this session belongs to another event loop")
            self._loop, self._bound = loop, _native.AsyncSession(self._session, loop)
        return self._bound

    async def connect(self) -> Connected:
        """Connect and wait for the broker's answer; see :meth:`mqttsession.Session.connect`."""
        return await self._bind().connect()

    async def disconnect(
        self,
        drain: Duration = 10,
        *,
        reason_code: int = 0,
        properties: Properties | None = None,
    ) -> int:
        """End the connection in good order; see :meth:`mqttsession.Session.disconnect`.

        Waits at most ``drain`` until everything published has ended; returns how many messages
        had not by then and are cancelled.
        """
        return await self._bind().disconnect(drain, reason_code, properties)

    async def close(self) -> None:
        """Close for good: iterators end, what is outstanding is cancelled.

        Returns when the last handler has returned; inside a handler it does not wait for that one.
        """
        for stream in self._handlers.values():
            stream.close()
        await self._bind().close()
        if others := self._handlers.keys() - {asyncio.current_task()}:
            await asyncio.wait(others)

    async def publish(
        self,
        topic: str,
        payload: Payload = b"",
        qos: QoS = 0,
        retain: bool = False,
        *,
        properties: Properties | None = None,
    ) -> int:
        """Publish a message, wait until it has ended, and return its reason code.

        At QoS 0 that is at once: nothing more than sending is promised, and :meth:`flush` waits
        for that. At QoS 1 and 2 it is when the broker has acknowledged it: 0, or 16 where a broker
        of MQTT 5.0 says that nobody has subscribed. It also waits while the outgoing queue is full
        and ``outgoing_policy`` is "block".
        """
        native = self._bind()
        answer = native.publish(topic, payload, qos, retain, properties)
        if answer is None:
            answer = await self._publish_in_room(topic, payload, qos, retain, properties)
        return answer if isinstance(answer, int) else await answer

    def publish_nowait(
        self,
        topic: str,
        payload: Payload = b"",
        qos: QoS = 0,
        retain: bool = False,
        *,
        properties: Properties | None = None,
    ) -> int:
        """Publish a message and return its number; raise CapacityError when the queue is full."""
        return self._bind().publish_nowait(topic, payload, qos, retain, properties)

    async def _publish_in_room(self, *arguments: Any) -> int | asyncio.Future[int]:
        native = self._bind()
        try:
            async with asyncio.timeout(self._room_patience):
                while (answer := native.publish(*arguments)) is None:
                    # When all of it has ended there is room for certain; with a broker that keeps
                    # up there is room before, so it is tried again after a while in any case.
                    await asyncio.wait([native.flush()], timeout=_ROOM_PAUSE)
                return answer
        except TimeoutError:
            message = "The outgoing queue has had no room for too long"
            raise _error("QUEUE_FULL", message) from None

    async def flush(self) -> None:
        """Wait until every message published so far has ended."""
        await self._bind().flush()

    async def subscribe(
        self,
        filter: str,
        handler: Callable[[Message], object],
        qos: QoS = 0,
        *,
        no_local: bool = False,
        retain_as_published: bool = False,
        retain_handling: Literal[0, 1, 2] = 0,
    ) -> QoS | None:
        """Subscribe with a handler, and return the QoS that the broker granted.

        The handler is a function or a coroutine function. It is called in the event loop, with one
        message after the other; a message is acknowledged when its call has returned. An exception
        goes to the loop's exception handler. Before :meth:`connect` the subscription is noted and
        None is returned.
        """
        native = self._bind()
        stream = native.stream()
        resting = self.state == "disconnected"
        granted = native.subscribe(
            filter, stream, qos, no_local, retain_as_published, retain_handling
        )
        task = asyncio.create_task(self._handle(filter, stream, handler))
        self._handlers[task] = stream
        task.add_done_callback(self._handlers.pop)
        if resting:
            granted.add_done_callback(_seen)
            return None
        return await granted

    async def _handle(
        self, filter: str, stream: _native.Stream, handler: Callable[[Message], object]
    ) -> None:
        async for message in Messages._of(stream):
            try:
                result = handler(message)
                if inspect.isawaitable(result):
                    await result
            except Exception as error:
                if not self._acknowledge_failed:
                    stream.fail()
                asyncio.get_running_loop().call_exception_handler(
                    {"message": f"the handler of {filter!r} raised", "exception": error}
                )

    def messages(
        self,
        filter: str,
        qos: QoS = 0,
        *,
        no_local: bool = False,
        retain_as_published: bool = False,
        retain_handling: Literal[0, 1, 2] = 0,
    ) -> Messages:
        """Return an asynchronous iterator over the messages that a filter matches.

        It subscribes when it is entered with ``async with``, or when the first message is asked
        for. A message is acknowledged when the next one is asked for, or when the iterator is
        closed; a consumer that does not ask makes the session read no further, up to the option
        ``incoming_limit``. The iterator ends when the filter is unsubscribed or subscribed anew,
        and when the session is closed.
        """
        native = self._bind()
        return Messages(native, filter, (qos, no_local, retain_as_published, retain_handling))

    async def unsubscribe(self, filter: str) -> None:
        """End a subscription; its iterator or handler ends after what it has received."""
        await self._bind().unsubscribe(filter)

    async def unsubscribe_all(self) -> None:
        """End every subscription."""
        await self._bind().unsubscribe_all()

    @property
    def state(
        self,
    ) -> Literal["disconnected", "connecting", "connected", "retrying", "closed"]:
        """What the session is doing."""
        return self._session.state

    @property
    def last_error(self) -> MqttError | None:
        """The last failure of the connection, readable while the session still tries."""
        return self._session.last_error

    @property
    def statistics(self) -> Statistics:
        """Counters and levels, as they are now."""
        return self._session.statistics

    @property
    def on_event(self) -> Callable[[Event], object] | None:
        """Called with each event, in the event loop; None for nobody."""
        return self._on_event

    @on_event.setter
    def on_event(self, handler: Callable[[Event], object] | None) -> None:
        self._bind()
        self._on_event = handler
        loop = asyncio.get_running_loop()
        # The session must not keep itself alive: what is forwarded to is the handler alone.
        self._session.on_event = handler and (
            lambda event: None if loop.is_closed() else loop.call_soon_threadsafe(handler, event)
        )

    async def __aenter__(self) -> Self:
        """Connect."""
        try:
            await self.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait until everything published has ended, disconnect and close.

        What has not ended within ``connect_timeout`` is cancelled, and said so by a CallerError.
        After an exception in the block it does not wait.
        """
        cancelled = 0
        try:
            if self.state != "closed":
                cancelled = await self.disconnect(self._patience if kind is None else 0)
        except Exception:
            # An exception of the block is worth more than one about leaving it.
            if kind is None:
                raise
        finally:
            await self.close()
        if cancelled and kind is None:
            raise _error(
                "CANCELLED", f"The session was left before {cancelled} of its messages had ended"
            )


class Messages:
    """An asynchronous iterator over the messages of a subscription.

    Get one from :meth:`Session.messages`.
    """

    def __init__(
        self,
        native: _native.AsyncSession | None,
        filter: str,
        options: tuple[QoS, bool, bool, int],
    ) -> None:
        """Not to be called: see :meth:`Session.messages`."""
        self._native = native
        self._filter = filter
        self._options = options
        self._stream: _native.Stream | None = None
        self.granted: QoS | None = None
        """The QoS that the broker granted, once it has."""

    @classmethod
    def _of(cls, stream: _native.Stream) -> Messages:
        messages = cls(None, "", (0, False, False, 0))
        messages._stream = stream
        return messages

    async def _subscribe(self) -> _native.Stream:
        assert self._native is not None
        self._stream = stream = self._native.stream()
        try:
            self.granted = await self._native.subscribe(self._filter, stream, *self._options)
        except BaseException:
            await self.aclose()
            raise
        return stream

    async def __aenter__(self) -> Self:
        """Subscribe."""
        if self._stream is None:
            await self._subscribe()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Unsubscribe."""
        await self.aclose()

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> Message:
        """Return the next message; the one before is acknowledged."""
        stream = self._stream or await self._subscribe()
        while True:
            item = stream.next()
            if isinstance(item, _native.Message):
                return item
            if item is None:
                raise StopAsyncIteration
            await item

    async def aclose(self) -> None:
        """Unsubscribe, unless that has happened in another way."""
        if self._stream is not None and self._stream.close() and self._native is not None:
            await self._native.unsubscribe(self._filter)


def _seconds(duration: Duration | None) -> float:
    # Both options that this is used for have the same default.
    if duration is None:
        return 10.0
    return duration if isinstance(duration, (int, float)) else duration.total_seconds()


def _seen(future: asyncio.Future[Any]) -> None:
    """Take note of a result, so that asyncio does not complain that nobody has."""
    if not future.cancelled():
        future.exception()
