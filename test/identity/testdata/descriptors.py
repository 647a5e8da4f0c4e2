"""Clients and servers that use their sockets in unusual ways.

    descriptors.py SCENARIO FIRST REQUESTS

prints "ready", waits for a line, sends the requests, which are numbered from FIRST on, and
prints "done". Client and server are processes of its own. A scenario's name that begins with
"unix_" has it over Unix sockets.
"""
import os, select, signal, socket, sys, time

scenario, first, requests = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
numbers = range(first, first + requests)
over_unix = scenario.startswith("unix_")


def message(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(4096)
        if not more:
            return None
        data += more
    return data


def answer(sock):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def serve(sock):
    while message(sock):
        answer(sock)
    sock.close()


def request(number):
    return b"GET /%d HTTP/1.1\r\nHost: server\r\n\r\n" % number


def ask(sock, number):
    sock.sendall(request(number))
    read_answer(sock)


def read_answer(sock):
    data = b""
    while not data.endswith(b"ok"):
        more = sock.recv(4096)
        assert more, "no answer"
        data += more


def listen():
    if over_unix:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("")  # a free abstract name
    else:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
    return listener


def connect(address):
    sock = socket.socket(socket.AF_UNIX if over_unix else socket.AF_INET)
    sock.connect(address)
    return sock


def child(run, *args):
    """Runs a function in a child process."""
    pid = os.fork()
    if pid == 0:
        run(*args)
        os._exit(0)
    return pid


def await_go():
    print("ready", flush=True)
    sys.stdin.readline()


def serving(handle):
    """Has a child accept connections and handle each; returns the address."""
    listener = listen()
    listener.listen()

    def accept():
        while True:
            handle(listener.accept()[0])

    return listener.getsockname(), child(accept)


def duplicates():
    """Both ends use several descriptors of one socket, and close some."""

    def handle(sock):
        copies = [sock, sock.dup(), sock.dup()]
        sock = copies.pop(0)
        sock.close()
        for i, _ in enumerate(numbers):
            message(copies[i % 2])
            answer(copies[(i + 1) % 2])

    address, _ = serving(handle)
    await_go()
    sock = connect(address)
    copies = [sock.dup(), sock]
    for n in numbers:
        ask(copies[n % 2], n)


def passed():
    """Both ends hand their socket to another process in a message, halfway."""

    def take_over(channel, run):
        _, fds, _, _ = socket.recv_fds(channel, 1, 1)
        run(socket.socket(fileno=fds[0]))

    def handle(sock):
        for _ in numbers[: requests // 2]:
            message(sock)
            answer(sock)
        socket.send_fds(to_server, [b"x"], [sock.fileno()])
        sock.close()

    def ask_rest(sock):
        for n in numbers[requests // 2 :]:
            ask(sock, n)

    to_server, at_server = socket.socketpair(type=socket.SOCK_DGRAM)
    child(take_over, at_server, serve)
    to_client, at_client = socket.socketpair(type=socket.SOCK_DGRAM)
    last = child(take_over, at_client, ask_rest)
    address, _ = serving(handle)
    await_go()

    def ask_first():
        sock = connect(address)
        for n in numbers[: requests // 2]:
            ask(sock, n)
        socket.send_fds(to_client, [b"x"], [sock.fileno()])

    os.waitpid(child(ask_first), 0)  # it has ended by the time that the other goes on
    os.waitpid(last, 0)


def forked():
    """A child inherits each end, and takes turns with its parent."""

    def handle(sock):
        turn, other = socket.socketpair(type=socket.SOCK_DGRAM)

        def every_second(channel):
            while channel.recv(1):
                if not message(sock):
                    os._exit(0)
                answer(sock)
                channel.send(b"x")

        child(every_second, other)
        while True:
            if not message(sock):
                return
            answer(sock)
            turn.send(b"x")
            turn.recv(1)

    address, _ = serving(handle)
    await_go()
    sock = connect(address)
    for n in numbers:
        if n % 2:
            os.waitpid(child(ask, sock, n), 0)
        else:
            ask(sock, n)


def executed():
    """A new program inherits the server's end, as inetd's services do."""

    def handle(sock):
        if os.fork() == 0:
            os.dup2(sock.fileno(), 0)
            os.execv(sys.executable, [sys.executable, __file__, "inherited", "0", "0"])

    address, _ = serving(handle)
    await_go()
    for n in numbers:
        sock = connect(address)
        ask(sock, n)
        sock.close()


def inherited():
    serve(socket.socket(fileno=0))


def half_closed():
    """The client ends its direction before the server answers."""

    def handle(sock):
        data = message(sock)
        while data and sock.recv(4096):
            pass
        answer(sock)
        sock.close()

    address, _ = serving(handle)
    await_go()
    for n in numbers:
        sock = connect(address)
        sock.sendall(request(n))
        sock.shutdown(socket.SHUT_WR)
        read_answer(sock)
        sock.close()


def fast_open():
    """The SYN carries the request, of sockets that wait and that do not."""
    listener = listen()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 1024)
    listener.listen()

    def accept():
        while True:
            child(serve, listener.accept()[0])

    child(accept)
    await_go()
    for n in numbers:
        sock = socket.socket()
        sock.setblocking(n % 2 == 0)
        assert sock.sendto(request(n), socket.MSG_FASTOPEN, listener.getsockname()) == len(request(n))
        select.select([sock], [], [])
        sock.setblocking(True)
        read_answer(sock)
        sock.close()


def unix_pair():
    """A pair of sockets was never connected to any path."""
    client, server = socket.socketpair()
    child(serve, server)
    await_go()
    for n in numbers:
        ask(client, n)


def unix_early():
    """The client sends before the server accepts, when its socket has no number yet."""
    listener = listen()
    listener.listen()
    await_go()
    for n in numbers:
        sock = connect(listener.getsockname())
        sock.sendall(request(n))
        os.waitpid(child(lambda: (message(conn := listener.accept()[0]), answer(conn))), 0)
        read_answer(sock)
        sock.close()


WARM_UP = 100


def untraced(role, sock):
    """Starts a program that is not selected and uses the socket for some requests."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("SEQLINK_")}
    sock.set_inheritable(True)
    args = [sys.executable, __file__, role, str(sock.fileno()), str(WARM_UP)]
    return child(os.execve, sys.executable, args, env)


def untraced_server():
    sock = socket.socket(fileno=first)
    for _ in range(requests):
        message(sock)
        answer(sock)


def untraced_client():
    sock = socket.socket(fileno=first)
    sock.recv(1)
    for _ in range(requests):
        ask(sock, -1)


def unix_later_client():
    """The server is traced alone, until a traced client takes the socket over."""
    client, server = socket.socketpair()
    warm_up = untraced("untraced_client", client)
    await_go()
    server.send(b"x")
    child(serve, server)
    os.waitpid(warm_up, 0)
    for n in numbers:
        ask(client, n)


def unix_later_server():
    """The client is traced alone, until a traced server takes the socket over."""
    client, server = socket.socketpair()
    warm_up = untraced("untraced_server", server)
    await_go()
    for _ in range(WARM_UP):
        ask(client, -1)
    os.waitpid(warm_up, 0)
    child(serve, server)
    time.sleep(0.1)  # it waits for the next request, when the counters do not agree yet
    for n in numbers:
        ask(client, n)


# include/uapi/linux/tcp.h
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
RECEIVE_QUEUE, SEND_QUEUE = 1, 2


def connected(sock, to, sends, receives):
    """Puts a socket into a connection that was never opened, at sequence numbers of choice."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    for queue, number in ((SEND_QUEUE, sends), (RECEIVE_QUEUE, receives)):
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, number)
    sock.connect(to)


def signed(number):
    return number - (1 << 32) if number >= 1 << 31 else number


def wrapping():
    """Sequence numbers pass 2^32 within the requests and answers."""
    client, server = listen(), listen()
    # Half of the bytes go by before each wraps.
    ask_from = (1 << 32) - requests * len(request(first)) // 2
    answer_from = (1 << 32) - requests * len(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") // 2
    connected(client, server.getsockname(), signed(ask_from), signed(answer_from))
    connected(server, client.getsockname(), signed(answer_from), signed(ask_from))
    client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)
    server.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)
    child(serve, server)
    await_go()
    for n in numbers:
        ask(client, n)


run = globals().get(scenario) or globals()[scenario.removeprefix("unix_")]
if scenario in ("inherited", "untraced_client", "untraced_server"):
    run()
    sys.exit()
os.setpgid(0, 0)
run()
print("done", flush=True)
sys.stdin.read()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.killpg(0, signal.SIGTERM)  # the children
