"""An asyncio service on aiohttp. What a request does is its SHAPE:

one        one call
sequence   a call to each next service, one after the other
gather     a call to each next service at once, joined
sleep      a timer, then one call
hedged     a call to each next service at once, which takes 5 ms at least; the first answer
           counts, and the other calls go on
streaming  one call, between the first and the last part of the response
timer      one call; a task of its own calls every 5 ms, for no request
after      one call, after the response was written

REUSE=off makes a connection for each call, POOL=n bounds them. The token goes along in
the query.
"""

import asyncio
import os
import random

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

NEXT = os.environ["NEXT"].split(",")
REUSE = os.environ.get("REUSE") != "off"
POOL = int(os.environ.get("POOL") or 0)


async def call(session, number, truth, more=""):
    async with session.get(f"http://{NEXT[number]}/call{number}?truth={truth}{more}") as response:
        body = await response.text()
    if truth not in body:
        raise RuntimeError(f"{truth} was answered with {body}")
    return body


async def one(session, truth):
    return await call(session, 0, truth)


async def sequence(session, truth):
    return "".join([await call(session, number, truth) for number in range(len(NEXT))])


async def gather(session, truth):
    return "".join(await asyncio.gather(*(call(session, number, truth) for number in range(len(NEXT)))))


async def sleep(session, truth):
    await asyncio.sleep(random.uniform(0, 0.01))
    return await call(session, 0, truth)


# Tasks in the background, which nothing else refers to.
BACKGROUND = set()


def background(coroutine):
    task = asyncio.create_task(coroutine)
    BACKGROUND.add(task)
    task.add_done_callback(BACKGROUND.discard)
    return task


async def hedged(session, truth):
    calls = [background(call(session, number, truth, "&slow=1")) for number in range(len(NEXT))]
    done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    return done.pop().result()


async def streaming(request, truth):
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"answer")
    await response.write((await call(request.app["session"], 0, truth)).encode())
    await response.write_eof()
    return response


async def after(request, truth):
    response = web.Response(text=f"answer to {truth}\n")
    await response.prepare(request)
    await response.write_eof()
    background(call(request.app["session"], 0, truth))
    return response


async def by_timer(session):
    while True:
        await asyncio.sleep(0.005)
        await call(session, 0, "none")


SHAPES = {"one": one, "timer": one, "sequence": sequence, "gather": gather, "sleep": sleep, "hedged": hedged}
# Those that write the response themselves.
WRITING = {"after": after, "streaming": streaming}


async def serve(request):
    shape, truth = os.environ.get("SHAPE", "one"), request.query["truth"]
    if shape in WRITING:
        return await WRITING[shape](request, truth)
    return web.Response(text=await SHAPES[shape](request.app["session"], truth))


async def with_session(app):
    connector = TCPConnector(limit=POOL, force_close=not REUSE)
    async with ClientSession(connector=connector, timeout=ClientTimeout(total=60)) as session:
        app["session"] = session
        if os.environ.get("SHAPE") == "timer":
            background(by_timer(session))
        yield


def main():
    app = web.Application()
    app.cleanup_ctx.append(with_session)
    app.router.add_get("/{path:.*}", serve)
    host, port = os.environ["LISTEN"].rsplit(":", 1)
    web.run_app(app, host=host, port=int(port), backlog=1024, access_log=None, keepalive_timeout=600, shutdown_timeout=1)


main()
