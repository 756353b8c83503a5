"""The code list of states and issuers: ICAO Doc 9303-3 (8th edition), section 5.

Part A is ISO 3166-1 with a few of ICAO's own; in a machine readable zone Germany is `D`, and `DEU` is left out on
purpose. Parts B to G follow; part H (IAO) signs master lists and issues no documents. All were compared with the
edition's text and with ISO's list. What people and other lists write instead is turned into these codes here, too.
"""

from __future__ import annotations

from typing import Final

_COUNTRIES: Final = """
ABW:AW AFG:AF AGO:AO AIA:AI ALA:AX ALB:AL AND:AD ARE:AE ARG:AR ARM:AM ASM:AS ATA:AQ ATF:TF ATG:AG AUS:AU
AUT:AT AZE:AZ BDI:BI BEL:BE BEN:BJ BES:BQ BFA:BF BGD:BD BGR:BG BHR:BH BHS:BS BIH:BA BLM:BL BLR:BY BLZ:BZ
BMU:BM BOL:BO BRA:BR BRB:BB BRN:BN BTN:BT BVT:BV BWA:BW CAF:CF CAN:CA CCK:CC CHE:CH CHL:CL CHN:CN CIV:CI
CMR:CM COD:CD COG:CG COK:CK COL:CO COM:KM CPV:CV CRI:CR CUB:CU CUW:CW CXR:CX CYM:KY CYP:CY CZE:CZ D:DE
DJI:DJ DMA:DM DNK:DK DOM:DO DZA:DZ ECU:EC EGY:EG ERI:ER ESH:EH ESP:ES EST:EE ETH:ET FIN:FI FJI:FJ FLK:FK
FRA:FR FRO:FO FSM:FM GAB:GA GBR:GB GEO:GE GGY:GG GHA:GH GIB:GI GIN:GN GLP:GP GMB:GM GNB:GW GNQ:GQ GRC:GR
GRD:GD GRL:GL GTM:GT GUF:GF GUM:GU GUY:GY HKG:HK HMD:HM HND:HN HRV:HR HTI:HT HUN:HU IDN:ID IMN:IM IND:IN
IOT:IO IRL:IE IRN:IR IRQ:IQ ISL:IS ISR:IL ITA:IT JAM:JM JEY:JE JOR:JO JPN:JP KAZ:KZ KEN:KE KGZ:KG KHM:KH
KIR:KI KNA:KN KOR:KR KWT:KW LAO:LA LBN:LB LBR:LR LBY:LY LCA:LC LIE:LI LKA:LK LSO:LS LTU:LT LUX:LU LVA:LV
MAC:MO MAF:MF MAR:MA MCO:MC MDA:MD MDG:MG MDV:MV MEX:MX MHL:MH MKD:MK MLI:ML MLT:MT MMR:MM MNE:ME MNG:MN
MNP:MP MOZ:MZ MRT:MR MSR:MS MTQ:MQ MUS:MU MWI:MW MYS:MY MYT:YT NAM:NA NCL:NC NER:NE NFK:NF NGA:NG NIC:NI
NIU:NU NLD:NL NOR:NO NPL:NP NRU:NR NZL:NZ OMN:OM PAK:PK PAN:PA PCN:PN PER:PE PHL:PH PLW:PW PNG:PG POL:PL
PRI:PR PRK:KP PRT:PT PRY:PY PSE:PS PYF:PF QAT:QA REU:RE ROU:RO RUS:RU RWA:RW SAU:SA SDN:SD SEN:SN SGP:SG
SGS:GS SHN:SH SJM:SJ SLB:SB SLE:SL SLV:SV SMR:SM SOM:SO SPM:PM SRB:RS SSD:SS STP:ST SUR:SR SVK:SK SVN:SI
SWE:SE SWZ:SZ SXM:SX SYC:SC SYR:SY TCA:TC TCD:TD TGO:TG THA:TH TJK:TJ TKL:TK TKM:TM TLS:TL TON:TO TTO:TT
TUN:TN TUR:TR TUV:TV TWN:TW TZA:TZ UGA:UG UKR:UA UMI:UM URY:UY USA:US UZB:UZ VAT:VA VCT:VC VEN:VE VGB:VG
VIR:VI VNM:VN VUT:VU WLF:WF WSM:WS YEM:YE ZAF:ZA ZMB:ZM ZWE:ZW
"""
"""Three letters as in the zone, two letters as in certificates."""

_OTHERS: Final[dict[str, str | None]] = {
    "ANT": "AN",  # Netherlands Antilles, part F
    "EUE": "EU",  # European Union, part B
    "GBD": "GB",  # British overseas territories citizen
    "GBN": "GB",  # British national (overseas)
    "GBO": "GB",  # British overseas citizen
    "GBP": "GB",  # British protected person
    "GBS": "GB",  # British subject
    "NTZ": "NT",  # Neutral Zone, part F
    "RKS": "KS",  # Kosovo
    "UNA": "UN",  # United Nations, specialised agency
    "UNK": None,  # United Nations Interim Administration Mission in Kosovo
    "UNO": "UN",  # United Nations
    "UTO": "UT",  # Utopia, the issuer of specimens, part G
    "XBA": None,  # African Development Bank
    "XCC": None,  # Caribbean Community
    "XCE": None,  # Council of Europe
    "XCO": None,  # Common Market for Eastern and Southern Africa
    "XDC": None,  # Southern African Development Community
    "XEC": None,  # Economic Community of West African States
    "XES": None,  # Organization of Eastern Caribbean States
    "XIM": None,  # African Export-Import Bank
    "XMP": None,  # Parliamentary Assembly of the Mediterranean
    "XOM": None,  # Sovereign Military Order of Malta
    "XPO": None,  # INTERPOL
    "XXA": None,  # stateless person, part E
    "XXB": None,  # refugee (1951 Convention)
    "XXC": None,  # refugee, other
    "XXX": None,  # person of unspecified nationality
}
"""Codes that ISO doesn't have, or has no longer, with the two letters that section 5 gives them, if any."""

_ALPHA_2: Final[dict[str, str | None]] = {
    **{three: two for three, _, two in (pair.partition(":") for pair in _COUNTRIES.split())},
    **_OTHERS,
}

STATE_CODES: Final = frozenset(_ALPHA_2)
"""Every code that an issuing state or a nationality may be, without fillers."""

_OF_ISO: Final[dict[str, str]] = {
    **{two: three for three, _, two in (pair.partition(":") for pair in _COUNTRIES.split())},
    "EU": "EUE",
    "XK": "RKS",  # Kosovo, which ISO hasn't; lists write the code that ISO leaves to its users
}
"""From ISO 3166-1's two letters, and what lists have beside them. States that are gone and regions have none."""

_IN_ZONE: Final = {"DEU": "D"}
"""ISO's three letters where the zone has another code. Germany is the one: every other code of ISO is ICAO's, too.

Codes for one state's other kinds of nationals or issuers (GBD, GBN, GBO, GBP, GBS beside GBR; UNA beside UNO; UNK
beside RKS) stand for what they say, and are no other spelling of it.
"""

SPECIMEN_STATE: Final = "UTO"
"""Utopia: the state of all specimens (ICAO Doc 9303-3, section 5, part G)."""


def is_state(code: str) -> bool:
    """Tell whether `code`, without its fillers, is in the code list."""
    return code in STATE_CODES


def alpha2_of(code: str) -> str | None:
    """Give the two letters that an issuer's certificates have as their country (ICAO Doc 9303-12, 7.1.1.1).

    None for a code that is unknown or has none in section 5, such as XOM: nothing can be compared then. Certificates
    in use also write them small.
    """
    return _ALPHA_2.get(code)


def state_of(alpha2: str) -> str:
    """Return the code of a travel document for two letters of ISO 3166-1, in either case; empty for none."""
    return _OF_ISO.get(alpha2.upper(), "")


def as_in_zone(code: str) -> str:
    """Return the code that the zone has where `code`, in capitals, is ISO's three letters; any other as it is."""
    return _IN_ZONE.get(code, code)
