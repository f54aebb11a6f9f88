"""Runs amqtt's broker for one user. Arguments: port, user, password, a folder for its files."""

import asyncio
import sys
from importlib.metadata import version
from pathlib import Path

from amqtt.broker import Broker
from pwdlib.hashers.argon2 import Argon2Hasher


async def main() -> None:
    port, user, password, folder = sys.argv[1:]
    passwords = Path(folder, "passwords")
    passwords.write_text(f"{user}:{Argon2Hasher().hash(password)}\n")
    broker = Broker({
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {
            "amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(passwords)},
        },
    })
    await broker.start()
    print("ready: amqtt", version("amqtt"), flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
