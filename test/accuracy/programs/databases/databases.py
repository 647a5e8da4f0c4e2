"""Runs a Redis server at the first address of LISTEN and a PostgreSQL server at the second, with
their files in the working directory, until it is asked to end. PostgreSQL refuses to run as root:
then it runs as its own user.
"""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import sys


def tool(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found[-1] if found else shutil.which(name) or sys.exit(f"{name} is not installed: install postgresql")


def main():
    (redis_host, redis_port), (host, port) = (a.rsplit(":", 1) for a in os.environ["LISTEN"].split(","))
    here = os.getcwd()
    data, password = os.path.join(here, "data"), os.path.join(here, "password")
    with open(password, "w") as file:
        file.write("swordfish\n")
    user = {}
    if os.getuid() == 0:
        account = pwd.getpwnam("postgres")
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        os.chmod(here, 0o755)
        os.mkdir(data)
        os.chown(data, account.pw_uid, account.pw_gid)
    subprocess.run(
        [tool("initdb"), "-D", data, "-U", "shop", "-A", "scram-sha-256", "--pwfile", password, "--no-sync"], check=True, **user
    )
    servers = [
        subprocess.Popen(["redis-server", "--bind", redis_host, "--port", redis_port, "--save", "", "--appendonly", "no"]),
        subprocess.Popen(
            [tool("postgres"), "-D", data, "-h", host, "-p", port, "-k", "", "-F", "-c", "max_connections=200", "-c", "autovacuum=off"], **user
        ),
    ]

    def end(*_):
        for server, how in zip(servers, (signal.SIGTERM, signal.SIGINT)):
            server.send_signal(how)

    signal.signal(signal.SIGTERM, end)
    for server in servers:
        server.wait()


main()
