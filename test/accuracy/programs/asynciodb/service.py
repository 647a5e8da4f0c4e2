"""An asyncio service on aiohttp that asks Redis (redis.asyncio) and PostgreSQL (asyncpg), through
pools of POOL connections. A request does SET and GET in Redis, then a query, which asyncpg
prepares and executes in two calls.

The token goes along in keys, and in statements' comments.
"""

import os

import asyncpg
import redis.asyncio
from aiohttp import web

REDIS, POSTGRES = (address.rsplit(":", 1) for address in os.environ["NEXT"].split(","))
POOL = int(os.environ.get("POOL") or 64)


def check(truth, answer):
    if answer != truth:
        raise RuntimeError(f"{truth} was answered with {answer}")


async def serve(request):
    truth = request.query["truth"]
    client = request.app["redis"]
    await client.set(f"truth={truth}", truth)
    check(truth, await client.get(f"truth={truth}"))
    check(truth, await request.app["postgres"].fetchval(f"SELECT $1::text /* truth={truth} */", truth))
    return web.Response(text=f"answer to {truth}\n")


async def with_databases(app):
    pool = redis.asyncio.BlockingConnectionPool(
        host=REDIS[0], port=int(REDIS[1]), decode_responses=True, max_connections=POOL, timeout=60
    )
    app["redis"] = redis.asyncio.Redis(connection_pool=pool)
    app["postgres"] = await asyncpg.create_pool(
        host=POSTGRES[0], port=int(POSTGRES[1]), user="shop", password="swordfish", database="postgres",
        min_size=POOL, max_size=POOL, statement_cache_size=0, max_inactive_connection_lifetime=0, ssl=False,
    )
    yield
    await app["redis"].close()
    await app["postgres"].close()


def main():
    app = web.Application()
    app.cleanup_ctx.append(with_databases)
    app.router.add_get("/{path:.*}", serve)
    host, port = os.environ["LISTEN"].rsplit(":", 1)
    web.run_app(app, host=host, port=int(port), backlog=1024, access_log=None, keepalive_timeout=600, shutdown_timeout=1)


main()
