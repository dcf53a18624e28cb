"""Images, assets and renditions of Mediagenix On-Demand, and their target platforms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from vendorkit.local.mediagenix.data import IMAGE_TYPES, PLATFORMS, Library, ids
from vendorkit.local.mediagenix.metadata import external_id
from vendorkit.local.mediagenix.tabled import FILES
from vendorkit.local.server.nodes import Attribute, Collection, Resource, Table, children, record

_BIT_RATES: Final = (("minimum", 2), ("maximum", 6), ("average", 4))


class Media:
    """Builds images, assets, renditions and their relations."""

    def __init__(self, library: Library) -> None:
        self._library = library
        # Whose images are numbered one after the other: kind, how many owners there are before, how many of this kind.
        self._owners, before = list[tuple[str, int, int]](), 0
        for kind, count in library.pictured.items():
            self._owners.append((kind, before, count))
            before += count

    def table(self) -> Table:
        """Return path patterns and their builders."""
        targets = partial(children, "target_platforms", self._target)
        table: Table = {
            "/images": lambda: Collection("images", self._library.image_ids, self._image, "pages"),
            "/images/{id}": self._image,
            "/images/{id}/target_platforms": targets(self._image, lambda id_: self._targets(16 * id_)),
            "/renditions/{id}/target_platforms": targets(self._rendition, lambda id_: self._targets(16 * id_ + 8)),
            "/target_platforms/{id}": self._target,
            "/assets": lambda: Collection("assets", self._library.asset_ids, self._asset, "pages", self._by_name),
            "/assets/{id}": self._asset,
            "/titles/{id}/assets": self._assets_of_title,
            "/assets/{id}/renditions": children(
                "renditions", self._rendition, self._asset, lambda id_: [2 * id_ - 1, 2 * id_]
            ),
            "/renditions/{id}": self._rendition,
        }
        return table | {f"/{kind}/{{id}}/images": partial(self._images_of, *counts) for kind, *counts in self._owners}

    # -- images

    def _owner(self, image: int) -> tuple[str, int]:
        """Return kind and id of the owner of an image."""
        owner = image // 4
        kind, before, _ = next(entry for entry in self._owners if owner < entry[1] + entry[2])
        return kind, owner - before + 1

    def _images_of(self, before: int, owners: int, id_: int) -> Collection | None:
        if not 1 <= id_ <= owners:
            return None
        first = 4 * (before + id_ - 1)
        return Collection("images", ids(filter(self._library.has_image, range(first, first + 4))), self._image)

    def _image(self, id_: int) -> Resource | None:
        index = id_ - 1
        if not self._library.has_image(index):
            return None
        kind, ratio, width, height = IMAGE_TYPES[index % 4]
        # The vendor fetches a remote file later; until then its size and checksum are null (4.17).
        fetched = index % 23 != 5
        attributes: list[Attribute] = [
            ("external_id", "", external_id("IMG", index)),
            ("width", "integer", width),
            ("height", "integer", height),
            ("encoding", "", ("jpg", "png", "tiff")[index % 3]),
            ("aspect_ratio", "AspectRatio", ratio),  # 3.2: a special type
            ("type", "", kind),
            ("file_name", "", f"{kind.lower()}_{id_}.jpg"),
            ("file_size", "integer", self._library.scatter(index, 23) % 4_000_000 if fetched else None),
            ("file_md5", "", f"{self._library.scatter(index, 24):08x}" * 4 if fetched else None),
            ("is_cover", "boolean", index % 4 == 0),
        ]
        owner, owner_id = self._owner(index)
        links = [("file", f"{FILES}/images/{id_}"), ("content", f"/{owner}/{owner_id}")]
        return record(
            "image", id_, attributes, ("target_platforms", "metadata"), links=links, plain=frozenset({"file"})
        )

    # -- assets

    def _by_name(self, query: Mapping[str, str]) -> Sequence[int]:
        if "name" not in query:
            return self._library.asset_ids  # type: ignore[no-any-return]
        # Every asset's name ends with its id, so that it is unique in the company (4.18).
        last = query["name"].rpartition("#")[2]
        asset = self._asset(int(last)) if last.isdecimal() else None
        return [int(last)] if asset and ("name", "", query["name"]) in asset.attributes else []

    def _asset(self, id_: int) -> Resource | None:
        """Return one asset: an editorial version of a title."""
        index = id_ - 1
        if not self._library.has_asset(index):
            return None
        minutes = self._library.scatter(index, 25) % 120 + 20
        # Values such as `30m` have broken the vendor's client (3.2).
        runtime = f"{minutes}m" if index % 13 == 4 else f"{minutes // 60:02}:{minutes % 60:02}:{index % 60:02}.000"
        attributes: list[Attribute] = [
            ("name", "", f"{self._library.phrase(index // 2, 20)} {'cut' if index % 2 else 'version'} #{id_}"),
            ("external_id", "", external_id("AST", index)),
            ("type", "", "Director's cut" if index % 2 else "Original"),
            ("runtime", "duration", runtime if index % 29 != 3 else None),
            ("description", "", "" if index % 3 else "As broadcast, R&D master"),
        ]
        links = [("title", f"/titles/{index // 2 + 1}")]
        return record("asset", id_, attributes, ("metadata", "renditions", "segments", "schedule"), links=links)

    def _assets_of_title(self, id_: int) -> Collection | None:
        found = [asset for asset in (2 * id_ - 1, 2 * id_) if self._asset(asset)]
        return Collection("assets", found, self._asset) if 1 <= id_ <= self._library.titles else None

    def _rendition(self, id_: int) -> Resource | None:
        asset, high = (id_ + 1) // 2, id_ % 2
        if id_ < 1 or self._asset(asset) is None:
            return None
        rate = 8_000_000 if high else 2_500_000
        attributes: list[Attribute] = [
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
        below, plain = ("audio_tracks", "subtitles", "target_platforms", "metadata"), frozenset({"asset", "file"})
        return record("rendition", id_, attributes, below, links=links, plain=plain)

    # -- target platforms: eight ids for each image (even) and rendition (odd)

    def _targets(self, first: int) -> list[int]:
        number = self._library.scatter(first, 27)
        return [first + place for place in range(len(PLATFORMS)) if number >> (3 * place) & 7]

    def _target(self, id_: int) -> Resource | None:
        owner, place = divmod(id_, 8)
        exists = self._rendition(owner // 2) if owner % 2 else self._image(owner // 2)
        if exists is None or place >= len(PLATFORMS):
            return None
        # 4.17: the sample has no id; the path is inferred.
        links = [("platform", f"/platforms/{place + 1}")]
        return Resource("target_platform", f"/target_platforms/{id_}", [], links=links)
