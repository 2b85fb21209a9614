# SPDX-License-Identifier: GPL-2.0-or-later
"""A real mosquitto for the beds, as contrib/fleet says it should be set up: TLS, a certificate for each gateway, an ACL by the name in
it. A library: it makes, starts, harms and ends brokers, and judges nothing."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time

# Debian's has it in sbin.
os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


class Authority:
    """Certificates of a CA of our own; `wrap`: a command around openssl, for another time."""

    def __init__(self, folder, wrap=()):
        self.folder = folder
        self.wrap = wrap
        os.makedirs(folder, exist_ok=True)
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key")
        self.openssl("req", "-x509", "-new", "-key", "ca.key", "-out", "ca.pem", "-subj", "/CN=bed CA", "-days", "30")
        # One key for all of them: what is tested is whose name a certificate bears.
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "all.key")
        os.chmod(self.path("all.key"), 0o644)

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *arguments):
        done = subprocess.run([*self.wrap, "openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"openssl {arguments[0]}: {done.stderr[-300:]}")

    def certificate(self, name, addresses=()):
        """The file's path."""
        to = self.path(name + ".pem")
        if not os.path.exists(to):
            more = ["-addext", "subjectAltName=" + ",".join(f"IP:{a}" for a in addresses)] if addresses else []
            self.openssl("req", "-x509", "-new", "-key", "all.key", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", to, "-subj", f"/CN={name}", "-days", "29",
                         "-addext", "basicConstraints=critical,CA:FALSE", *more)
        return to

    def context(self, name):
        """For a client of that name."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.load_verify_locations(self.path("ca.pem"))
        tls.load_cert_chain(self.certificate(name), self.path("all.key"))
        return tls


# `allow_anonymous false` with certificates: nobody without one. Of the queue's bounds contrib/fleet tells why.
CONFIG = """per_listener_settings false
allow_anonymous false
acl_file {folder}/acl
persistence {persistence}
persistence_location {folder}/
autosave_interval {autosave}
autosave_on_changes false
log_dest file {folder}/log
log_type error
log_type warning
log_type notice
log_type information
max_queued_messages {queued}
max_inflight_messages 100
set_tcp_nodelay true
listener {port} {address}
cafile {ca}
certfile {certificate}
keyfile {key}
require_certificate true
use_identity_as_username true
"""
# One more way in, for another broker.
LISTENER = """listener {port} {address}
cafile {ca}
certfile {certificate}
keyfile {key}
require_certificate true
use_identity_as_username true
"""
ACL = "pattern write minewall/{site}/%u/#\npattern read minewall/{site}/#\n"


class Broker:
    """`run`: a command before it, such as ip netns exec NAME."""

    def __init__(self, folder, authority, address="127.0.0.1", port=8883, site="bed", run=(), name="broker", queued=200000, more="", acl=None, bridges=None, persistence=True, autosave=5):
        self.folder, self.authority, self.address, self.port, self.run = folder, authority, address, port, list(run)
        self.process = None
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o777)     # it drops its rights
        config = CONFIG.format(folder=folder, persistence=str(persistence).lower(), queued=queued, autosave=autosave, port=port, address=address, ca=authority.path("ca.pem"),
                               certificate=authority.certificate(name, (address,)), key=authority.path("all.key"))
        with open(os.path.join(folder, "conf"), "w") as f:
            f.write(config + more)
            if bridges:
                f.write(LISTENER.format(port=bridges, address=address, ca=authority.path("ca.pem"), certificate=authority.certificate(name, (address,)),
                                        key=authority.path("all.key")))
        with open(os.path.join(folder, "acl"), "w") as f:
            f.write(acl if acl is not None else ACL.format(site=site))

    @staticmethod
    def usable():
        return bool(shutil.which("mosquitto"))

    def start(self, timeout=20):
        """Waits until it listens: asked from within its namespace, by its own log."""
        before = self.log().count("mosquitto version")
        self.process = subprocess.Popen([*self.run, "mosquitto", "-c", os.path.join(self.folder, "conf")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            rest = self.log().split("mosquitto version")[before + 1:]
            if any(" running" in part for part in rest):
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"mosquitto does not start: {self.log()[-400:]}")

    def log(self):
        try:
            with open(os.path.join(self.folder, "log"), errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def pid(self):
        return self.process.pid

    def memory(self):
        """Of its resident memory, now and at most: KiB."""
        with open(f"/proc/{self.pid()}/status") as f:
            rows = dict(line.split(":", 1) for line in f)
        return int(rows["VmRSS"].split()[0]), int(rows["VmHWM"].split()[0])

    def cpu(self):
        """Seconds of CPU so far."""
        with open(f"/proc/{self.pid()}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stall(self):
        """It answers nothing any more, and its connections stay."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """As a power failure does."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
