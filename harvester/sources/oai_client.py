"""sickle with our own transport and one strict parse per page: what stays of it are its verbs and its iterator.

sickle 0.7 ends a cut list as if it were complete, retries 503 only and reads every page three times; so `harvest`,
the response and the error handling are ours, and its token checkpoint (`resumption_token`) and paging are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from sickle.app import Sickle
from sickle.iterator import OAIResponseIterator
from sickle.response import OAIResponse

from harvester.errors import ProtocolError, SourceError, SourceUnavailable
from harvester.model import Source
from harvester.sources.addresses import with_query
from harvester.sources.environment import Environment
from harvester.sources.fetch import Answer, Fetcher
from harvester.sources.oai_page import OaiPage, read_page
from harvester.sources.oai_sheet import Sheet
from harvester.sources.oai_xml import Unreadable, read
from harvester.sources.waiting import pause

_TOO_LONG = (414, 431)
_LISTS = ("ListRecords", "ListIdentifiers")


class PageResponse(OAIResponse):  # type: ignore[misc]
    """One answer with its page, parsed once."""

    def __init__(self, answer: Answer, params: Mapping[str, str], record_bytes: int) -> None:
        super().__init__(answer, params)
        self._record_bytes = record_bytes

    @property
    def raw(self) -> str:
        """The answer as text, for people."""
        return str(self.http_response.body, "utf-8", "replace")

    @cached_property
    def sheet(self) -> Sheet:
        return read(self.http_response.body, self.params["verb"])

    @property
    def xml(self) -> Any:
        """The root element; None when the envelope of a broken answer is broken."""
        return self.sheet.root

    @cached_property
    def page(self) -> OaiPage:
        return read_page(self.sheet, self.params["verb"], self._record_bytes)


class PageIterator(OAIResponseIterator):  # type: ignore[misc]
    """sickle's iterator over pages; errors stay on the page, for the harvester to judge by their place in the list."""

    resumption_token: Any

    def _next_response(self) -> None:
        params = self.params
        if self.resumption_token:
            params = {"verb": self.verb, "resumptionToken": self.resumption_token.token}
        self.oai_response = self.sickle.harvest(**params)
        page = self.oai_response.page
        self.resumption_token = page.token if page.next_token else None


class OaiClient(Sickle):  # type: ignore[misc]
    """sickle over our fetcher. `learned` collects what the server turned out to need.

    `arguments` are what a list was begun with: some servers want them again beside the token.
    """

    def __init__(self, source: Source, environment: Environment, fetcher: Fetcher) -> None:
        super().__init__(source.url, iterator=PageIterator)
        self._source = source
        self._environment = environment
        self._fetcher = fetcher
        self.arguments: dict[str, str] = {}
        self.learned: dict[str, str] = {}
        self._counted = False

    def harvest(self, **params: str) -> PageResponse:
        """The answer to one request, fetched again while it arrives broken.

        Raises:
            SourceUnavailable, ProtocolError, Refused: as fetch and oai_xml say; nothing was readable.
        """
        if "resumptionToken" not in params:
            self._counted = False
            return self._confirmed(params, self._whole(params))
        sent = self._beside_token(params)
        response = self._whole(sent)
        return self._second_form(params, response) or self._confirmed(sent, response)

    def _confirmed(self, params: Mapping[str, str], response: PageResponse) -> PageResponse:
        """The answer, or a second one that goes on where the first ended a list that nobody counted.

        Without a count a lost token looks like the end of the list; asking again costs one request a list.
        """
        page = response.page
        self._counted = self._counted or page.list_size is not None
        if params["verb"] not in _LISTS or self._counted or page.next_token or page.errors or not page.records:
            return response
        try:
            again = self._whole(params)
        except SourceError:
            return response
        return again if again.page.next_token and not again.page.errors else response

    def _whole(self, params: Mapping[str, str]) -> PageResponse:
        """The answer, from the last of several tries if it is broken each time."""
        limits = self._environment.limits
        response: PageResponse | None = None
        problem = ""
        for attempt in range(limits.page_attempts):
            if attempt:
                self._fetcher.sleep(pause(attempt - 1, None, limits, self._environment.jitter()))
            response = PageResponse(self._request(params), params, limits.record_bytes)
            try:
                if response.page.whole:
                    return response
            except Unreadable as error:
                response, problem = None, str(error)
            except SourceError as error:
                error.place = self._source.code
                raise
        if response is None:
            raise SourceUnavailable(f"answer cannot be read: {problem}"[:300], place=self._source.code)
        return response

    def _request(self, params: Mapping[str, str]) -> Answer:
        arguments = list(params.items())
        if len(with_query(self._source.url, arguments)) > self._environment.limits.url_length:
            answer = self._fetcher.post(arguments=arguments)
        else:
            answer = self._fetcher.get(arguments=arguments)
            if answer.status in _TOO_LONG:
                answer = self._fetcher.post(arguments=arguments)
        if answer.status >= 400 and b"OAI-PMH" not in answer.body:
            raise ProtocolError(f"HTTP {answer.status}", place=answer.url, code=str(answer.status))
        return answer

    # ---- what servers want beside the token -----------------------------------------------------------------

    def _habit(self, name: str) -> str:
        known = self.learned.get(name) or self._environment.learned.get(name)
        return known or str(self._source.options.get(name, ""))

    def _beside_token(self, params: Mapping[str, str]) -> dict[str, str]:
        sent = dict(params)
        if self._habit("token_blanks") == "stripped":
            sent["resumptionToken"] = sent["resumptionToken"].strip()
        wanted = self._habit("token_arguments")
        names = {"prefix": ("metadataPrefix",), "all": ("metadataPrefix", "from", "until", "set")}.get(wanted, ())
        return sent | {name: self.arguments[name] for name in names if name in self.arguments}

    def _second_form(self, params: Mapping[str, str], response: PageResponse) -> PageResponse | None:
        """The answer to the request in the form that this server wants, if it refused the proper one."""
        codes = {code for code, _ in response.page.errors}
        token = params["resumptionToken"]
        if "badArgument" in codes and not self._habit("token_arguments") and "metadataPrefix" in self.arguments:
            # INLISLite V33 wants metadataPrefix beside the token, against the protocol.
            return self._tried(params, "token_arguments", "prefix")
        if "badResumptionToken" in codes and token != token.strip() and not self._habit("token_blanks"):
            return self._tried(params, "token_blanks", "stripped")
        return None

    def _tried(self, params: Mapping[str, str], habit: str, value: str) -> PageResponse | None:
        self.learned[habit] = value
        response = self._whole(self._beside_token(params))
        if response.page.errors:
            del self.learned[habit]
            return None
        return response
