"""The generated VuFind configuration reads as INI and names the sources as the documents do."""

from __future__ import annotations

import configparser

import msgspec

from harvester.model import Policy
from harvester.outputs.vufind_config import vufind_config
from tests.outputs.union import PARTNERS


def read(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


def test_sources_stand_by_priority_and_institutions_are_quoted() -> None:
    files = vufind_config(PARTNERS)
    assert read(files["searches.ini"])["Records"]["sources"] == '"ugm,inlis,ui,ui-etd"'
    datasources = read(files["datasources.ini"])
    assert datasources["ui-etd"]["institution"] == '"Perpustakaan UI"'
    assert datasources["inlis"]["institution"] == '"Perpustakaan Kota / Pusat"'
    assert read(files["facets.ini"])["SpecialFacets"]["hierarchical[]"] == "building"


def test_a_withheld_partner_is_not_named() -> None:
    hidden = msgspec.structs.replace(PARTNERS[1], policy=Policy(visibility="withheld"))
    assert "ui" not in read(vufind_config([hidden])["datasources.ini"])
