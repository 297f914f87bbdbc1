"""Certificates of one cluster, made with the openssl program: one authority, elliptic keys, a month of validity."""

from dataclasses import dataclass
from pathlib import Path

from tests.cluster.commands import run

DAYS = "30"
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class KeyPair:
    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """The certificate authority whose files lie in `folder`."""

    folder: Path

    @property
    def pair(self) -> KeyPair:
        return self._files("ca")

    @property
    def service_account_key(self) -> Path:
        """The private key that signs service account tokens."""
        return self.folder / "service-account.key"

    @property
    def service_account_public_key(self) -> Path:
        return self.folder / "service-account.pub"

    @property
    def _configuration(self) -> Path:
        return self.folder / "openssl.cnf"

    def create(self) -> None:
        """Make the authority and the service account key."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        ca = self.pair
        # Without a configuration of our own, the machine's adds extensions that contradict these.
        self._configuration.write_text("[req]\ndistinguished_name = dn\n[dn]\n")
        run([
            "openssl", "req", "-config", self._configuration, "-x509", *KEY, "-days", DAYS,
            "-subj", "/CN=alo-test-cluster", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,digitalSignature",
            "-keyout", ca.key, "-out", ca.certificate,
        ])  # fmt: skip
        curve = "ec_paramgen_curve:prime256v1"
        private, public = self.service_account_key, self.service_account_public_key
        run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", private])
        run(["openssl", "pkey", "-in", private, "-pubout", "-out", public])

    def client(self, file: str, name: str, groups: tuple[str, ...] = ()) -> KeyPair:
        """Make a client certificate: to Kubernetes the common name is the user, the organizations its groups."""
        parts = [("O", group) for group in groups] + [("CN", name)]
        subject = "".join(f"/{key}={escaped(value)}" for key, value in parts)
        return self._signed(file, subject, "extendedKeyUsage=clientAuth")

    def server(self, file: str, names: tuple[str, ...], addresses: tuple[str, ...]) -> KeyPair:
        """Make a serving certificate for host names and IP addresses."""
        alternatives = ",".join([f"DNS:{name}" for name in names] + [f"IP:{address}" for address in addresses])
        extensions = ("extendedKeyUsage=serverAuth", f"subjectAltName={alternatives}")
        return self._signed(file, f"/CN={names[0]}", *extensions)

    def _signed(self, file: str, subject: str, *extensions: str) -> KeyPair:
        ca, pair = self.pair, self._files(file)
        extra = [word for extension in extensions for word in ("-addext", extension)]
        run([
            "openssl", "req", "-config", self._configuration, "-x509", *KEY, "-days", DAYS, "-subj", subject,
            "-CA", ca.certificate, "-CAkey", ca.key,
            "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=critical,digitalSignature", *extra,
            "-keyout", pair.key, "-out", pair.certificate,
        ])  # fmt: skip
        return pair

    def _files(self, name: str) -> KeyPair:
        return KeyPair(self.folder / f"{name}.crt", self.folder / f"{name}.key")


def escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("/", "\\/").replace("+", "\\+")
