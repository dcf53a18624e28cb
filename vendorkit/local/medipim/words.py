"""The words and tables from which the Medipim mock server builds its records. All names are invented."""

from __future__ import annotations

from typing import Final, NamedTuple

LOCALES: Final = {
    "be": ("nl", "fr", "en", "de"),
    "fr": ("fr", "en"),
    "de": ("de", "en"),
    "es": ("es", "en"),
    "au": ("en",),
    "us": ("en",),
}
# The rates of cosmetics and of medicines, in percent; the US has none.
VAT: Final = {
    "be": (b"21", b"6"),
    "fr": (b"20", b"5.5"),
    "de": (b"19", b"7"),
    "es": (b"21", b"4"),
    "au": (b"10", b"0"),
    "us": (b"null", b"null"),
}
EAN_PREFIX: Final = {"be": 54, "fr": 33, "de": 40, "es": 84, "au": 93, "us": 7}  # us: 07…, a UPC-A in 13 digits

STATUSES: Final = ("active", "inactive", "replaced", "no_selection")
CONSERVATIONS: Final = ("room", "refrigerator", "fresh", "frozen")
ECOMMERCE: Final = ("yes", "no", "unknown")
SPECIES: Final = ("human", "veterinary", "surface_maintenance", "phytopharmacy")
TARGET_GROUPS: Final = (
    "public", "pharmacist", "doctor", "homecare", "hospital", "nurse", "physiotherapist", "webshop",
)  # fmt: skip
MEDIA_TYPES: Final = ("photo", "frontal", "link")
PHOTO_TYPES: Final = ("packshot", "productshot", "lifestyle_image", "pillshot")
LINK_TYPES: Final = ("app", "brochure", "video", "website")
SIDES: Final = ("front", "left", "right", "back", "bottom", "top")
ORGANIZATION_TYPES: Final = ("supplier", "marketing", "medical_professional", "other")
DESCRIPTION_TYPES: Final = (
    "full_description", "faq", "measurements", "legal_text", "indication", "contra_indication", "usage",
    "usage_extended", "composition", "properties", "side_effects", "nutritional_value", "usage_type",
    "pregnancy_description", "pregnancy_description_extended", "breastfeeding_description",
    "breastfeeding_description_extended", "interactions", "warnings", "keywords",
)  # fmt: skip


class Code(NamedTuple):
    """One identifier of a country: `prefix` + number in `width` digits. Source 0: national number, 1: its 13 digits."""

    name: str
    width: int = 0  # 0: the vendor has the field, but here it is always null
    prefix: str = ""
    source: int = 0
    medicine: bool | None = None  # None: on all products


# Medipim's documents. Documented widths are the vendor's.
CODES: Final = {
    "be": (Code("cnk", 7), Code("udi"), Code("nut"), Code("ctiExtended", 9, "C", medicine=True)),
    "fr": (
        Code("cipOrAcl7", 7), Code("cip13", 13, source=1, medicine=True), Code("acl13", 13, source=1, medicine=False),
        Code("ospId", 7), Code("cisCode", 8, "6", medicine=True),
    ),
    "de": (Code("pzn", 8),),
    "es": (Code("cn", 6),),
    "us": (
        Code("hri"), Code("ndc", 10, "50", medicine=True), Code("pin"), Code("upc10"), Code("upc11"), Code("upc12"),
        Code("hamacherCode", 8),
    ),
    "au": (
        Code("artgId", 6, medicine=True), Code("pbs", 7, "P", medicine=True), Code("fred", 8), Code("zCode", 7, "Z"),
        Code("snomedMp", 8, "21", medicine=True), Code("snomedMpp", 8, "22", medicine=True), Code("snomedMpuu"),
        Code("snomedTp", 8, "23", medicine=True), Code("snomedTpp", 8, "24", medicine=True), Code("snomedTpuu"),
        Code("snomedCtpp"),
    ),
}  # fmt: skip


class Form(NamedTuple):
    """What a product is: its name, whether it is a medicine, a usual price in cents, pack sizes and codes."""

    nl: str
    fr: str
    en: str
    de: str
    es: str
    medicine: bool
    price: int
    unit: str
    sizes: tuple[int, ...]
    hs_code: str
    atc: str | None


# nl, fr, en, de, es
_NAMES: Final = (
    ("Wasgel", "Gel Lavant", "Wash Gel", "Waschgel", "Gel Limpiador"),
    ("Tabletten", "Comprimés", "Tablets", "Tabletten", "Comprimidos"),
    ("Dagcrème", "Crème de Jour", "Day Cream", "Tagescreme", "Crema de Día"),
    ("Siroop", "Sirop", "Syrup", "Sirup", "Jarabe"),
    ("Zonnemelk SPF50", "Lait Solaire SPF50", "Sun Milk SPF50", "Sonnenmilch LSF50", "Leche Solar SPF50"),
    ("Capsules", "Gélules", "Capsules", "Kapseln", "Cápsulas"),
    ("Oogdruppels", "Collyre", "Eye Drops", "Augentropfen", "Colirio"),
    ("Tandpasta", "Dentifrice", "Toothpaste", "Zahnpasta", "Pasta Dental"),
    ("Shampoo", "Shampooing", "Shampoo", "Shampoo", "Champú"),
    ("Bruistablet", "Comprimé Effervescent", "Effervescent Tablet", "Brausetablette", "Comprimido Efervescente"),
    ("Serum", "Sérum", "Serum", "Serum", "Sérum"),
    ("Neusspray", "Spray Nasal", "Nasal Spray", "Nasenspray", "Spray Nasal"),
    ("Lippenbalsem", "Baume à Lèvres", "Lip Balm", "Lippenbalsam", "Bálsamo Labial"),
    ("Melkpoeder", "Lait en Poudre", "Milk Powder", "Milchpulver", "Leche en Polvo"),
    ("Vitamine D", "Vitamine D", "Vitamin D", "Vitamin D", "Vitamina D"),
    ("Pleisters", "Pansements", "Plasters", "Pflaster", "Tiritas"),
)
# medicine, price, unit, sizes, hs_code, atc
_FACTS: Final[tuple[tuple[bool, int, str, tuple[int, ...], str, str | None], ...]] = (
    (False, 1650, "ml", (200, 400, 500, 750), "340130", None),
    (True, 940, "st", (20, 30, 60, 90), "300490", "A02BC03"),
    (False, 2890, "ml", (30, 40, 50, 75), "330499", None),
    (True, 820, "ml", (100, 125, 150, 200), "300490", "R05CA10"),
    (False, 2250, "ml", (100, 150, 200, 250), "330499", None),
    (False, 1990, "st", (30, 60, 90, 120), "210690", None),
    (True, 1120, "ml", (5, 10, 15, 20), "300490", "S01XA20"),
    (False, 620, "ml", (50, 75, 100, 125), "330610", None),
    (False, 1290, "ml", (125, 200, 300, 400), "330510", None),
    (True, 760, "st", (10, 20, 40, 60), "300450", "A11GA01"),
    (False, 3950, "ml", (15, 30, 40, 50), "330499", None),
    (True, 890, "ml", (10, 15, 20, 30), "300490", "R01AX10"),
    (False, 540, "g", (4, 5, 8, 10), "330410", None),
    (False, 1840, "g", (400, 800, 900, 1200), "190110", None),
    (True, 1380, "st", (30, 60, 84, 120), "300450", "A11CC05"),
    (False, 480, "st", (10, 20, 40, 100), "300510", None),
)
FORMS: Final[tuple[Form, ...]] = tuple(
    Form._make((*names, *facts)) for names, facts in zip(_NAMES, _FACTS, strict=True)
)
LINES: Final = (
    "Calmia", "Hydralis", "Purélia", "Sensiva", "Nutrévo", "Vitalor", "Bébélin", "Atopiane", "Rosanéa", "Aquaterm",
    "Cicadol", "Solévia", "Propolia", "Magnifor", "Omégalis", "Derméo",
)  # fmt: skip

# Names that have caused errors in clients come first; the others are combined from two halves.
BRANDS: Final = ("A-Dermia", "Dr. Häuser", "L'Herbière", "Zoë & Co", "Aderlis", 'Lab "Nova"', "São Bento", "Ma|Belle")
HEADS: Final = (
    "Avi", "Bio", "Cera", "Derma", "Eco", "Flora", "Gala", "Hydra", "Iso", "Juva", "Kera", "Lipo", "Mela", "Nutri",
    "Oro", "Phyto", "Quali", "Reno", "Sana", "Vita",
)  # fmt: skip
TAILS: Final = (
    "care", "cure", "derm", "dine", "gel", "lab", "line", "lux", "med", "nat", "nova", "phar", "pure", "sol", "tal",
    "tec", "vea", "vie", "zen", "xia",
)  # fmt: skip
CITIES: Final = ("Brussel", "Gent", "Lyon", "Köln", "Sevilla", "Melbourne", "Liège", "Montréal")

ROOT_CATEGORIES: Final = (
    ("Verzorging", "Soins", "Care", "Pflege", "Cuidado"),
    ("Geneesmiddelen", "Médicaments", "Medicines", "Arzneimittel", "Medicamentos"),
    ("Gezicht", "Visage", "Face", "Gesicht", "Cara"),
    ("Hoest en verkoudheid", "Rhume et toux", "Cough and cold", "Husten und Erkältung", "Tos y resfriado"),
    ("Zon", "Soleil", "Sun", "Sonne", "Sol"),
    ("Voedingssupplementen", "Compléments", "Supplements", "Nahrungsergänzung", "Suplementos"),
    ("Ogen", "Yeux", "Eyes", "Augen", "Ojos"),
    ("Mond", "Bouche", "Mouth", "Mund", "Boca"),
)
FAMILIES: Final = (
    "Cosmetics", "Medicines", "Food supplements", "Medical devices", "Baby food", "Oral care", "Sun care", "Hair care",
    "Wound care", "Eye care", "Vitamins", "Homeopathy", "Veterinary",
)  # fmt: skip
INGREDIENTS: Final = (
    "Paracetamol", "Ibuprofen", "Lansoprazole", "Zinc oxide", "Glycerol", "Panthenol", "Magnesium", "Colecalciferol",
    "Ascorbic acid", "Xylometazoline",
)  # fmt: skip
ATTRIBUTES: Final = {
    "color": ("White", "Yellow", "Blue", "Green", "Pink"),
    "galenic_shape": ("Gel", "Tablet", "Cream", "Syrup", "Spray"),
    "flavour": ("Neutral", "Orange", "Mint", "Strawberry", "Lemon"),
    "age_group": ("Baby", "Child", "Adult", "Senior", "All ages"),
    "skin_type": ("Dry", "Oily", "Sensitive", "Normal", "Mixed"),
    "spf": ("6", "15", "20", "30", "50+"),
}
SENTENCES: Final = {
    "nl": "Reinigt en verzorgt de gevoelige huid. Op de vochtige huid aanbrengen en zorgvuldig spoelen.",
    "fr": "Nettoie et apaise la peau sensible. Appliquer sur la peau humide puis rincer soigneusement.",
    "en": "Cleans and soothes sensitive skin. Apply to damp skin, leave for a moment and rinse with care.",
    "de": "Reinigt und pflegt empfindliche Haut. Auf die feuchte Haut auftragen und gründlich spülen.",
    "es": "Limpia y calma la piel sensible. Aplicar sobre la piel húmeda, dejar actuar y aclarar con cuidado.",
}
