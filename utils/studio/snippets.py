"""The prompt as code to take away, which answers elsewhere as the studio does here.

Each snippet runs as it stands, and every text in it is quoted exactly, whatever it holds.
"""

from collections.abc import Callable, Mapping

from utils.studio.endpoint_snippets import with_curl, with_openai, with_vertex_curl, with_vertex_python
from utils.studio.modelfile import with_ollama
from utils.studio.snippet import Asked, Snippet
from utils.studio.transformers_snippet import with_transformers

SNIPPETS: Mapping[str, Callable[[Asked], Snippet]] = {
    "Python with transformers": with_transformers,
    "Python with the openai client": with_openai,
    "curl": with_curl,
    "Vertex AI, curl": with_vertex_curl,
    "Vertex AI, Python": with_vertex_python,
    "Ollama Modelfile": with_ollama,
}
"""By the names that the page has for them."""

NEED_AN_ENDPOINT = frozenset(SNIPPETS) - {"Python with transformers", "Ollama Modelfile"}


def snippet(kind: str, asked: Asked) -> Snippet:
    """Return the prompt as code. Raises EmptyPrompt, DataError, UnsupportedSetting for what that kind cannot say."""
    asked.prompt.check()
    return SNIPPETS[kind](asked)
