/** Names of states, provinces and countries, as codes. */

/** USPS: states, the district, territories, military "states". */
const usStates =
  "Alabama=AL,Alaska=AK,American Samoa=AS,Arizona=AZ,Arkansas=AR,Armed Forces Americas=AA,Armed Forces Europe=AE,Armed Forces Pacific=AP,California=CA,Colorado=CO,Connecticut=CT,Delaware=DE,District of Columbia=DC,Washington DC=DC,Florida=FL,Georgia=GA,Guam=GU,Hawaii=HI,Idaho=ID,Illinois=IL,Indiana=IN,Iowa=IA,Kansas=KS,Kentucky=KY,Louisiana=LA,Maine=ME,Maryland=MD,Massachusetts=MA,Michigan=MI,Minnesota=MN,Mississippi=MS,Missouri=MO,Montana=MT,Nebraska=NE,Nevada=NV,New Hampshire=NH,New Jersey=NJ,New Mexico=NM,New York=NY,North Carolina=NC,North Dakota=ND,Northern Mariana Islands=MP,Ohio=OH,Oklahoma=OK,Oregon=OR,Pennsylvania=PA,Puerto Rico=PR,Rhode Island=RI,South Carolina=SC,South Dakota=SD,Tennessee=TN,Texas=TX,Utah=UT,Vermont=VT,Virgin Islands=VI,US Virgin Islands=VI,Virginia=VA,Washington=WA,Washington State=WA,West Virginia=WV,Wisconsin=WI,Wyoming=WY";
const caProvinces =
  "Alberta=AB,British Columbia=BC,Manitoba=MB,New Brunswick=NB,Newfoundland=NL,Newfoundland and Labrador=NL,Northwest Territories=NT,Nova Scotia=NS,Nunavut=NU,Ontario=ON,Prince Edward Island=PE,Quebec=QC,Saskatchewan=SK,Yukon=YT,Yukon Territory=YT";

/** ISO 3166-1 alpha-2, all officially assigned. */
const isoCodes =
  "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW".split(
    " ",
  );
/** What people write besides the English name that ICU knows. */
const countryAliases =
  "America=US,USA=US,United States of America=US,Estados Unidos=US,CAN=CA,MEX=MX,UK=GB,GBR=GB,Great Britain=GB,Britain=GB,England=GB,Scotland=GB,Wales=GB,Northern Ireland=GB,Republic of Ireland=IE,Eire=IE,IRL=IE,AUS=AU,NZL=NZ,DEU=DE,Deutschland=DE,Österreich=AT,Schweiz=CH,Suisse=CH,FRA=FR,ESP=ES,España=ES,Italia=IT,ITA=IT,Nederland=NL,Holland=NL,The Netherlands=NL,België=BE,Belgique=BE,Brasil=BR,Korea=KR,Republic of Korea=KR,Russian Federation=RU,Czech Republic=CZ,Turkey=TR,Viet Nam=VN,Ivory Coast=CI,Burma=MM,Macedonia=MK,Swaziland=SZ,Cape Verde=CV,Hong Kong=HK,Macau=MO,UAE=AE,China=CN,PRC=CN,Taiwan=TW,Palestine=PS,Vatican City=VA";

/** One spelling of a name for look-ups: lower-case letters and digits, no marks. */
function key(name: string): string {
  return name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "");
}
function table(text: string): Map<string, string> {
  const entries = text.split(",").map((entry) => entry.split("=") as [string, string]);
  return new Map(entries.flatMap(([name, code]) => [[key(name), code] as const, [key(code), code] as const]));
}

const states: Record<string, Map<string, string>> = { US: table(usStates), CA: table(caProvinces) };
const countries = new Map<string, string>();
const english = new Intl.DisplayNames("en", { type: "region" });
for (const code of isoCodes) {
  countries.set(key(english.of(code)!), code);
  countries.set(key(code), code);
}
for (const entry of countryAliases.split(",")) {
  const [name, code] = entry.split("=") as [string, string];
  countries.set(key(name), code);
}

/** The two letters of a US state or Canadian province, by code or name; undefined when it is none of that country. */
export function stateCode(name: string, country: "US" | "CA"): string | undefined {
  return states[country]!.get(key(name));
}

/** ISO 3166-1 alpha-2 of a country, by code or (English) name. */
export function countryCode(name: string): string | undefined {
  const code = key(name);
  // Two letters are a code only where nothing else stands: `-- N/A` is not Namibia.
  if (code.length === 2 && !/^[A-Z]\.?[A-Z]\.?$/i.test(name.trim())) return undefined;
  return countries.get(code);
}
