"""From the scheduler's events to OpenAI's JSON, in one piece or as a stream of chunks."""

from codecs import getincrementaldecoder
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from pydantic import BaseModel
from transformers import PreTrainedTokenizerBase

from utils.models.tokens import is_special, token_bytes, token_text
from utils.serving.answering import Completion, count
from utils.serving.error_answers import openai_error
from utils.serving.openai_requests import Prompt, Question
from utils.serving.openai_schema import (
    ChatAnswer,
    ChatChoice,
    ChatChunk,
    ChatChunkChoice,
    ChatLogprobs,
    CompletionAnswer,
    CompletionChoice,
    CompletionLogprobs,
    Delta,
    ErrorAnswer,
    Message,
    TokenLogprob,
    TopLogprob,
    Usage,
)
from utils.serving.refusals import Refusal
from utils.serving.requests import Event, PromptScores, Score, Token

Head = Mapping[str, Any]
"""What the chunks of an answer have in common: id, created, model, system_fingerprint."""

Row = tuple[int, int, Score | None]
"""Where a token begins in its choice's text, its id, its score."""

DONE = "data: [DONE]\n\n"


class CompletionWriter:
    """The choices of /v1/completions. echo: a choice's text begins with the prompt."""

    answer = chunk = staticmethod(partial(CompletionAnswer, object="text_completion"))

    def __init__(self, tokenizer: PreTrainedTokenizerBase, question: Question, *, echo: bool) -> None:
        self.tokenizer, self.question, self.echo = tokenizer, question, echo
        self.written = [0] * len(question.requests)

    def choice(self, number: int, completion: Completion) -> CompletionChoice:
        """Return a whole choice."""
        prompt = self.question.prompt_of(number) if self.echo else None
        return self._choice(number, completion.tokens, prompt=prompt, scores=completion.scores)

    def opening(self, number: int, scores: PromptScores | None) -> CompletionChoice | None:
        """Return what a streamed choice begins with: the prompt, or nothing."""
        return self._choice(number, (), prompt=self.question.prompt_of(number), scores=scores) if self.echo else None

    def piece(self, number: int, token: Token) -> CompletionChoice:
        """Return what a token adds to a streamed choice."""
        return self._choice(number, (token,))

    def _choice(
        self, number: int, tokens: Sequence[Token], *, prompt: Prompt | None = None, scores: PromptScores | None = None
    ) -> CompletionChoice:
        text = prompt.text if prompt else ""
        rows = list(prompt_rows(self.tokenizer, prompt, scores)) if prompt and scores else []
        for token in tokens:
            if token.score:
                rows.append((self.written[number] + len(text), token.id, token.score))
            text += token.text
        self.written[number] += len(text)
        return CompletionChoice(
            index=number,
            text=text,
            logprobs=_completion_logprobs(self.tokenizer, rows) if rows else None,
            finish_reason=tokens[-1].finish if tokens else None,
        )


class ChatWriter:
    """The choices of /v1/chat/completions."""

    answer = staticmethod(partial(ChatAnswer, object="chat.completion"))
    chunk = staticmethod(partial(ChatChunk, object="chat.completion.chunk"))

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer

    def choice(self, number: int, completion: Completion) -> ChatChoice:
        """Return a whole choice."""
        return ChatChoice(
            index=number,
            message=Message(role="assistant", content=completion.text),
            logprobs=_chat_logprobs(self.tokenizer, completion.tokens),
            finish_reason=completion.finish,
        )

    def opening(self, number: int, scores: PromptScores | None) -> ChatChunkChoice:
        """Return what a streamed choice begins with."""
        delta = Delta(role="assistant", content="")
        return ChatChunkChoice(index=number, delta=delta, logprobs=None, finish_reason=None)

    def piece(self, number: int, token: Token) -> ChatChunkChoice:
        """Return what a token adds to a streamed choice."""
        delta = Delta(content=token.text) if token.text else Delta()
        logprobs = _chat_logprobs(self.tokenizer, (token,))
        return ChatChunkChoice(index=number, delta=delta, logprobs=logprobs, finish_reason=token.finish)


Writer = CompletionWriter | ChatWriter


def whole_answer(writer: Writer, head: Head, question: Question, completions: Sequence[Completion]) -> BaseModel:
    """Return an answer in one piece."""
    choices = [writer.choice(number, completion) for number, completion in enumerate(completions)]
    written = sum(completion.length for completion in completions)
    return writer.answer(**head, choices=choices, usage=usage(question, written))


async def streamed_answer(
    writer: Writer, head: Head, question: Question, events: AsyncGenerator[tuple[int, Event]], *, include_usage: bool
) -> AsyncGenerator[str]:
    """Yield an answer as server-sent events, the last of them [DONE]; before it, perhaps, an error that ended it.

    Raises a Refusal that comes before anything was sent.
    """
    chunk = partial(writer.chunk, **head, **({"usage": None} if include_usage else {}))
    begun: set[int] = set()
    written = 0
    async with aclosing(events):
        async for number, event in events:
            if isinstance(event, Refusal):
                if not begun:
                    raise event
                yield sent(ErrorAnswer.model_validate(openai_error(event)))
                break
            scores = None if isinstance(event, Token) else event
            if number not in begun and (opening := writer.opening(number, scores)):
                yield sent(chunk(choices=[opening]))
            begun.add(number)
            if isinstance(event, Token):
                written += count([event])
                if event.text or event.score or event.finish:  # half a character tells nothing
                    yield sent(chunk(choices=[writer.piece(number, event)]))
        else:
            if include_usage:
                yield sent(writer.chunk(**head, choices=[], usage=usage(question, written)))
    yield DONE


def sent(answer: BaseModel) -> str:
    """Return JSON as a server-sent event; what was not set is left out."""
    return f"data: {answer.model_dump_json(exclude_unset=True)}\n\n"


def usage(question: Question, written: int) -> Usage:
    """Return how many tokens were read, each prompt once, and written."""
    read = sum(len(prompt.ids) for prompt in question.prompts)
    return Usage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)


def prompt_rows(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, scores: PromptScores) -> Iterator[Row]:
    """Yield a row a token; nothing stands before the first, so it has no score."""
    decoder, begins = getincrementaldecoder("utf-8")(errors="replace"), 0
    for token, score in zip(prompt.ids, (None, *scores.scores), strict=True):
        yield min(begins, len(prompt.text)), token, score
        special = is_special(tokenizer, token)
        begins += len(token_text(tokenizer, token) if special else decoder.decode(token_bytes(tokenizer, token)))


def _completion_logprobs(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]) -> CompletionLogprobs:
    return CompletionLogprobs(
        tokens=[token_text(tokenizer, token) for _, token, _ in rows],
        token_logprobs=[score.logprob if score else None for *_, score in rows],
        top_logprobs=[
            {token_text(tokenizer, other): logprob for other, logprob in (*score.likeliest, (token, score.logprob))}
            if score
            else None
            for _, token, score in rows
        ],
        text_offset=[begins for begins, *_ in rows],
    )


def _chat_logprobs(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[Token]) -> ChatLogprobs | None:
    def told(token: int, logprob: float) -> dict[str, Any]:
        return {
            "token": token_text(tokenizer, token),
            "logprob": logprob,
            "bytes": list(token_bytes(tokenizer, token)),
        }

    rows = [
        TokenLogprob(
            **told(token.id, token.score.logprob),
            top_logprobs=[TopLogprob(**told(*other)) for other in token.score.likeliest],
        )
        for token in tokens
        if token.score
    ]
    return ChatLogprobs(content=rows) if rows else None
