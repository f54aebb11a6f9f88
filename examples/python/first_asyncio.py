"""A first session with asyncio: subscribe, publish at every quality of service, leave."""

import asyncio
import sys

from mqttsession import aio


async def main(address: str) -> None:
    async with (
        aio.Session(address) as session,
        session.messages("first/asyncio/#", qos=2) as messages,
    ):
        await session.publish("first/asyncio/cellar", "12.0")
        await session.publish("first/asyncio/kitchen", "21.5", qos=1)
        await session.publish("first/asyncio/attic", "27.3", qos=2)
        for _ in range(3):
            message = await anext(messages)
            print(f"{message.topic}: {message.payload.decode()} °C (QoS {message.qos})")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "mqtt://localhost"))
