"""Runs a MariaDB server at LISTEN, with its files in the working directory, until it is asked to end."""

import os
import shutil
import signal
import subprocess
import sys


def tool(name):
    return shutil.which(name) or shutil.which(name, path="/usr/sbin") or sys.exit(f"{name} is not installed: install mariadb-server-core")


def main():
    host, port = os.environ["LISTEN"].rsplit(":", 1)
    here = os.getcwd()
    data, first = os.path.join(here, "data"), os.path.join(here, "first.sql")
    with open(first, "w") as file:
        for statement in (
            "CREATE DATABASE shop",
            "CREATE USER shop@localhost IDENTIFIED BY 'swordfish'",
            "GRANT ALL ON shop.* TO shop@localhost",
        ):
            file.write(f"{statement};\n")
    common = ["--no-defaults", f"--datadir={data}", "--innodb-log-file-size=4M", "--user=root"]
    subprocess.run(
        [tool("mariadb-install-db"), *common, "--skip-test-db", "--auth-root-authentication-method=normal"], check=True, stdout=subprocess.DEVNULL
    )
    server = subprocess.Popen(
        [tool("mariadbd"), *common, f"--bind-address={host}", f"--port={port}", f"--socket={here}/socket", f"--init-file={first}", "--max-connections=300"]
    )
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    server.wait()


main()
