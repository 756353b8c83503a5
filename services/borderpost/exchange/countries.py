"""From ISO 3166-1's two letters, which FollowTheMoney has, to the codes of travel documents (ICAO Doc 9303-3, 5).

The three letters are ISO's own, but Germany is `D`; Kosovo, which ISO hasn't, is `xk` there and `RKS` here. States
that are gone have no code any more and are left out, as are regions.
"""

from __future__ import annotations

from typing import Final

_CODES: Final = """
ad:AND ae:ARE af:AFG ag:ATG ai:AIA al:ALB am:ARM ao:AGO aq:ATA ar:ARG as:ASM at:AUT au:AUS aw:ABW ax:ALA
az:AZE ba:BIH bb:BRB bd:BGD be:BEL bf:BFA bg:BGR bh:BHR bi:BDI bj:BEN bl:BLM bm:BMU bn:BRN bo:BOL bq:BES
br:BRA bs:BHS bt:BTN bv:BVT bw:BWA by:BLR bz:BLZ ca:CAN cc:CCK cd:COD cf:CAF cg:COG ch:CHE ci:CIV ck:COK
cl:CHL cm:CMR cn:CHN co:COL cr:CRI cu:CUB cv:CPV cw:CUW cx:CXR cy:CYP cz:CZE de:D dj:DJI dk:DNK dm:DMA
do:DOM dz:DZA ec:ECU ee:EST eg:EGY eh:ESH er:ERI es:ESP et:ETH eu:EUE fi:FIN fj:FJI fk:FLK fm:FSM fo:FRO
fr:FRA ga:GAB gb:GBR gd:GRD ge:GEO gf:GUF gg:GGY gh:GHA gi:GIB gl:GRL gm:GMB gn:GIN gp:GLP gq:GNQ gr:GRC
gs:SGS gt:GTM gu:GUM gw:GNB gy:GUY hk:HKG hm:HMD hn:HND hr:HRV ht:HTI hu:HUN id:IDN ie:IRL il:ISR im:IMN
in:IND io:IOT iq:IRQ ir:IRN is:ISL it:ITA je:JEY jm:JAM jo:JOR jp:JPN ke:KEN kg:KGZ kh:KHM ki:KIR km:COM
kn:KNA kp:PRK kr:KOR kw:KWT ky:CYM kz:KAZ la:LAO lb:LBN lc:LCA li:LIE lk:LKA lr:LBR ls:LSO lt:LTU lu:LUX
lv:LVA ly:LBY ma:MAR mc:MCO md:MDA me:MNE mf:MAF mg:MDG mh:MHL mk:MKD ml:MLI mm:MMR mn:MNG mo:MAC mp:MNP
mq:MTQ mr:MRT ms:MSR mt:MLT mu:MUS mv:MDV mw:MWI mx:MEX my:MYS mz:MOZ na:NAM nc:NCL ne:NER nf:NFK ng:NGA
ni:NIC nl:NLD no:NOR np:NPL nr:NRU nu:NIU nz:NZL om:OMN pa:PAN pe:PER pf:PYF pg:PNG ph:PHL pk:PAK pl:POL
pm:SPM pn:PCN pr:PRI ps:PSE pt:PRT pw:PLW py:PRY qa:QAT re:REU ro:ROU rs:SRB ru:RUS rw:RWA sa:SAU sb:SLB
sc:SYC sd:SDN se:SWE sg:SGP sh:SHN si:SVN sj:SJM sk:SVK sl:SLE sm:SMR sn:SEN so:SOM sr:SUR ss:SSD st:STP
sv:SLV sx:SXM sy:SYR sz:SWZ tc:TCA td:TCD tf:ATF tg:TGO th:THA tj:TJK tk:TKL tl:TLS tm:TKM tn:TUN to:TON
tr:TUR tt:TTO tv:TUV tw:TWN tz:TZA ua:UKR ug:UGA um:UMI us:USA uy:URY uz:UZB va:VAT vc:VCT ve:VEN vg:VGB
vi:VIR vn:VNM vu:VUT wf:WLF ws:WSM xk:RKS ye:YEM yt:MYT za:ZAF zm:ZMB zw:ZWE
"""

STATES: Final[dict[str, str]] = dict(pair.split(":") for pair in _CODES.split())
"""ICAO's code of each of ISO's."""


def state_of(alpha2: str) -> str:
    """Return the code of a travel document for two letters of ISO 3166-1; empty for none."""
    return STATES.get(alpha2.lower(), "")
