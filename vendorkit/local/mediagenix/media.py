"""Images, assets and renditions of the local Mediagenix On-Demand, and the platforms they are meant for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from vendorkit.local.mediagenix.data import IMAGE_TYPES, PLATFORMS, Library
from vendorkit.local.mediagenix.metadata import external_id
from vendorkit.local.server.hypermedia import Attribute, Collection, Node, Resource

FILES: Final = "https://files.example"
"""Where binaries lie: another origin, which must never see a credential, and does not exist."""

_BIT_RATES: Final = (("minimum", 2), ("maximum", 6), ("average", 4))


class Media:
    """Answers on images and assets."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def table(self) -> dict[str, Callable[..., Node | None]]:
        """Path patterns and what answers them."""
        library = self._library
        return {
            "/images": lambda: Collection("images", self._image_ids, self._image, "pages"),
            "/images/{id}": self._image,
            "/titles/{id}/images": lambda id_: self._images_of(0, library.titles, id_),
            "/title_groups/{id}/images": lambda id_: self._images_of(library.titles, library.groups, id_),
            "/brands/{id}/images": lambda id_: self._images_of(library.titles + library.groups, library.brands, id_),
            "/images/{id}/target_platforms": lambda id_: self._image(id_) and self._targets(16 * id_),
            "/renditions/{id}/target_platforms": lambda id_: self._rendition(id_) and self._targets(16 * id_ + 8),
            "/target_platforms/{id}": self._target,
            "/assets": lambda: Collection("assets", self._asset_ids, self._asset, "pages", self._by_name),
            "/assets/{id}": self._asset,
            "/titles/{id}/assets": self._assets_of_title,
            "/assets/{id}/renditions": self._renditions,
            "/renditions/{id}": self._rendition,
        }

    # -- images

    @cached_property
    def _image_ids(self) -> Any:
        return self._library.images + 1

    def _owner(self, image: int) -> tuple[str, int]:
        place = image // 4
        for owner, count in (("titles", self._library.titles), ("title_groups", self._library.groups)):
            if place < count:
                return owner, place + 1
            place -= count
        return "brands", place + 1

    def _images_of(self, before: int, owners: int, id_: int) -> Node | None:
        if not 1 <= id_ <= owners:
            return None
        first = 4 * (before + id_ - 1)
        found = [place + 1 for place in range(first, first + 4) if self._library.has_image(place)]
        return Collection("images", found, self._image)

    def _image(self, id_: int) -> Resource | None:
        index = id_ - 1
        if not self._library.has_image(index):
            return None
        kind, ratio, width, height = IMAGE_TYPES[index % 4]
        # A remote file is fetched later: until then its size and sum are null (4.17).
        fetched = index % 23 != 5
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("external_id", "", external_id("IMG", index)),
            ("width", "integer", width),
            ("height", "integer", height),
            ("encoding", "", ("jpg", "png", "tiff")[index % 3]),
            ("aspect_ratio", "AspectRatio", ratio),  # 3.2: a type of its own
            ("type", "", kind),
            ("file_name", "", f"{kind.lower()}_{id_}.jpg"),
            ("file_size", "integer", self._library.scatter(index, 23) % 4_000_000 if fetched else None),
            ("file_md5", "", f"{self._library.scatter(index, 24):08x}" * 4 if fetched else None),
            ("is_cover", "boolean", index % 4 == 0),
        ]
        owner, owner_id = self._owner(index)
        links = [("file", f"{FILES}/images/{id_}"), ("content", f"/{owner}/{owner_id}")]
        below = ("target_platforms", "metadata")
        return Resource("image", f"/images/{id_}", attributes, below, links, frozenset({"file"}))

    # -- assets

    @cached_property
    def _asset_ids(self) -> Any:
        return self._library.assets + 1

    def _by_name(self, query: Mapping[str, str]) -> Sequence[int]:
        if "name" not in query:
            return self._asset_ids  # type: ignore[no-any-return]
        # The id stands at the end of every asset's name, which is unique in the company (4.18).
        last = query["name"].rpartition("#")[2]
        asset = self._asset(int(last)) if last.isdecimal() else None
        return [int(last)] if asset and ("name", "", query["name"]) in asset.attributes else []

    def _asset(self, id_: int) -> Resource | None:
        """One asset: an editorial version of a title."""
        index = id_ - 1
        if not self._library.has_asset(index):
            return None
        minutes = self._library.scatter(index, 25) % 120 + 20
        # Values such as `30m` have broken the vendor's own client (3.2).
        runtime = f"{minutes}m" if index % 13 == 4 else f"{minutes // 60:02}:{minutes % 60:02}:{index % 60:02}.000"
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("name", "", f"{self._library.phrase(index // 2, 20)} {'cut' if index % 2 else 'version'} #{id_}"),
            ("external_id", "", external_id("AST", index)),
            ("type", "", "Director's cut" if index % 2 else "Original"),
            ("runtime", "duration", runtime if index % 29 != 3 else None),
            ("description", "", "" if index % 3 else "As broadcast, R&D master"),
        ]
        links = [("title", f"/titles/{index // 2 + 1}")]
        return Resource("asset", f"/assets/{id_}", attributes, ("metadata", "renditions", "schedule"), links)

    def _assets_of_title(self, id_: int) -> Node | None:
        found = [asset for asset in (2 * id_ - 1, 2 * id_) if self._asset(asset)]
        return Collection("assets", found, self._asset) if 1 <= id_ <= self._library.titles else None

    def _renditions(self, id_: int) -> Node | None:
        return self._asset(id_) and Collection("renditions", [2 * id_ - 1, 2 * id_], self._rendition)

    def _rendition(self, id_: int) -> Resource | None:
        asset, high = (id_ + 1) // 2, id_ % 2
        if id_ < 1 or self._asset(asset) is None:
            return None
        rate = 8_000_000 if high else 2_500_000
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("external_id", "", None),
            ("width", "integer", 1920 if high else 1280),
            ("height", "integer", 1080 if high else 720),
            ("encoding", "", "h264"),
            ("color", "", "color" if id_ % 11 else "black_and_white"),
            ("frame_rate", "", "25" if id_ % 3 else "23.976"),
            ("scan", "", "progressive"),
            ("aspect_ratio", "", "16:9" if id_ % 5 else "4/3"),
            *((f"bit_rate_{part}", "integer", rate * share // 4) for part, share in _BIT_RATES),
            ("bit_rate_variable", "boolean", bool(high)),
            ("file_name", "", f"asset_{asset}_{'hd' if high else 'sd'}.mp4"),
            ("file_size", "integer", 2**32 + id_ * 4096),
            ("file_md5", "", f"{self._library.scatter(id_, 26):08x}" * 4),
            ("runtime", "duration", "01:30:00.000"),
        ]
        links = [("file", f"{FILES}/renditions/{id_}"), ("asset", f"/assets/{asset}")]
        below = ("target_platforms", "metadata")
        return Resource("rendition", f"/renditions/{id_}", attributes, below, links, frozenset({"asset", "file"}))

    # -- target platforms: eight places for each image (even) and rendition (odd)

    def _targets(self, first: int) -> Collection:
        number = self._library.scatter(first, 27)
        found = [first + place for place in range(len(PLATFORMS)) if number >> (3 * place) & 7]
        return Collection("target_platforms", found, self._target)

    def _target(self, id_: int) -> Resource | None:
        owner, place = divmod(id_, 8)
        exists = self._rendition(owner // 2) if owner % 2 else self._image(owner // 2)
        if exists is None or place >= len(PLATFORMS):
            return None
        # 4.17: no id of its own in the sample; the path is inferred.
        return Resource(
            "target_platform", f"/target_platforms/{id_}", [], links=[("platform", f"/platforms/{place + 1}")]
        )
