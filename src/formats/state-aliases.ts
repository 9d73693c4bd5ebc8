/** A subdivision that addresses of its country name. */
export interface State {
  /** Mostly the ISO 3166-2 code without the country, such as `TX`. */
  readonly code: string;
  /** In Latin letters if there is such a name. */
  readonly name: string;
  /** In the languages of the country, and in Latin letters. */
  readonly names: readonly string[];
  /** The beginnings of its postal codes; absent if they are unknown. */
  readonly postalCodes?: RegExp;
}

/** States that Google's data lacks: the outlying islands of the USPS, Indonesia's provinces of 2022. */
export const additionalStates: Readonly<Record<string, readonly State[]>> = {
  US: [state("UM", ["U.S. Minor Outlying Islands", "Minor Outlying Islands"], /^96898/)],
  ID: [
    state("PE", ["Highland Papua", "Papua Pegunungan"]),
    state("PS", ["South Papua", "Papua Selatan"]),
    state("PT", ["Central Papua", "Papua Tengah"]),
    state("PD", ["Southwest Papua", "Papua Barat Daya"]),
  ],
};

/**
 * Words that a state's name may carry or lack, by country: "Anhui Sheng" is "Anhui". Every country's may be followed by
 * "state", "province" or "region".
 */
export const genericWords: Readonly<Record<string, string>> = {
  AE: "emirate",
  AR: "provincia",
  CL: "region de del la",
  CN: "sheng shi zizhiqu zhuangzuzizhiqu huizuzizhiqu weiwuerzizhiqu municipality city autonomous 省 市 自治区",
  EG: "governorate",
  ES: "provincia",
  IE: "co county",
  IT: "provincia",
  JM: "parish",
  JP: "prefecture ken fu metropolis 県 府 都",
  KR: "do si city 특별시 광역시 특별자치시 특별자치도 도",
  NR: "district",
  RU: "oblast kray krai respublika republits republic okrug avtonomnyy avtonomnaya autonomous область край республика",
  TH: "changwat จังหวัด",
  TR: "ili",
  TW: "city county 市 縣",
  UA: "oblast city область",
  VN: "city tinh thanh pho tp",
};

/** Other codes and names in use, by country: current ISO 3166-2 where Google's data is older, English names. */
export const stateAliases: Readonly<Record<string, string>> = {
  AR: "CABA=C;Capital Federal=C;Ciudad de Buenos Aires=C",
  CA: "PQ=QC;NF=NL;Newfoundland=NL;Labrador=NL;Yukon Territory=YT;PEI=PE",
  CL: "Metropolitana=RM;Region Metropolitana=RM;Santiago=RM;Magallanes=MA;Aysén=AI;O'Higgins=LI;La Araucanía=AR",
  CN: `BJ=11;TJ=12;HE=13;SX=14;NM=15;LN=21;JL=22;HL=23;SH=31;JS=32;ZJ=33;AH=34;FJ=35;JX=36;SD=37;HA=41;HB=42;HN=43;
    GD=44;GX=45;HI=46;CQ=50;SC=51;GZ=52;YN=53;XZ=54;SN=61;GS=62;QH=63;NX=64;XJ=65;TW=71;HK=91;MO=92;Guangxi Zhuang=45;
    Inner Mongolia=15;Nei Mongol=15;Ningxia Hui=64;Tibet=54;Xinjiang Uyghur=65;Macao=92`,
  CO: "Bogotá D.C.=DC;Distrito Capital=DC;Valle=VAC",
  EG: "Beheira=BH;Sharqia=SHR;Al Sharqia=SHR;Monufia=MNF;Minya=MN;Giza=GZ",
  ES: `OU=OR;Orense=OR;IB=PM;Baleares=PM;Balearic Islands=PM;GE=GI;Gerona=GI;Coruña=C;Seville=SE;Biscay=BI;Navarre=NA;
    Nafarroa=NA;Saragossa=Z`,
  IN: `CG=CT;OD=OR;Orissa=OR;TS=TG;UK=UT;UA=UT;Uttaranchal=UT;DD=DH;DN=DH;New Delhi=DL;NCT of Delhi=DL;Pondicherry=PY;
    Andaman and Nicobar Islands=AN`,
  IT: `Rome=RM;Milan=MI;Naples=NA;Turin=TO;Florence=FI;Venice=VE;Genoa=GE;Padua=PD;Mantua=MN;Syracuse=SR;Valle d'Aosta=AO;
    Bozen=BZ;Südtirol=BZ;PS=PU;FO=FC;Reggio di Calabria=RC;Reggio nell'Emilia=RE;Monza e della Brianza=MB`,
  KR: `Gyeonggi=41;경상남도=48;경상북도=47;전라남도=46;전라북도=45;충청남도=44;충청북도=43;Gyeongnam=48;Gyeongbuk=47;
    Jeonnam=46;Jeonbuk=45;Chungnam=44;Chungbuk=43;강원특별자치도=42;전북특별자치도=45`,
  MX: `DIF=CMX;DF=CMX;CDMX=CMX;Distrito Federal=CMX;Mexico City=CMX;México=MEX;EDOMEX=MEX;BC=BCN;QRO=QUE;NL=NLE;QR=ROO;
    Coahuila=COA;Michoacán de Ocampo=MIC;Veracruz de Ignacio de la Llave=VER;Querétaro de Arteaga=QUE`,
  MY: `JHR=01;KDH=02;KTN=03;MLK=04;NSN=05;PHG=06;PNG=07;PRK=08;PLS=09;SGR=10;TRG=11;SBH=12;SWK=13;KUL=14;LBN=15;PJY=16;
    Penang=07;Malacca=04;Wilayah Persekutuan Kuala Lumpur=14;Wilayah Persekutuan Labuan=15`,
  NG: "FCT=FC;Abuja=FC;Ogun=OG",
  PE: "Lima=LIM;Lima Metropolitana=LMA;Cusco=CUS;El Callao=CAL",
  PH: "NCR=00;National Capital Region=00;Manila=00;Davao de Oro=COM;Occidental Mindoro=MDC;Oriental Mindoro=MDR;Quezon=QUE",
  RU: `Moscow=MOW;Moscow Oblast=MOS;Saint Petersburg=SPE;Crimea=Автономна Республіка Крим;Sevastopol=Севастополь;
    Altai Krai=ALT;Altai Republic=AL;Adygea=AD;Amur=AMU;Arkhangelsk=ARK;Astrakhan=AST;Bashkortostan=BA;Belgorod=BEL;
    Bryansk=BRY;Buryatia=BU;Chechnya=CE;Chelyabinsk=CHE;Chukotka=CHU;Chuvash=CU;Dagestan=DA;Ingushetia=IN;Irkutsk=IRK;
    Ivanovo=IVA;Jewish Autonomous Oblast=YEV;Kabardino-Balkaria=KB;Kaliningrad=KGD;Kalmykia=KL;Kaluga=KLU;Kamchatka=KAM;
    Karachay-Cherkessia=KC;Karelia=KR;Kemerovo=KEM;Khabarovsk=KHA;Khakassia=KK;Khanty-Mansi=KHM;Kirov=KIR;Komi=KO;
    Kostroma=KOS;Krasnodar=KDA;Krasnoyarsk=KYA;Kurgan=KGN;Kursk=KRS;Leningrad=LEN;Lipetsk=LIP;Magadan=MAG;Mari El=ME;
    Mordovia=MO;Murmansk=MUR;Nenets=NEN;Nizhny Novgorod=NIZ;North Ossetia-Alania=SE;North Ossetia=SE;Novgorod=NGR;
    Novosibirsk=NVS;Omsk=OMS;Orenburg=ORE;Oryol=ORL;Penza=PNZ;Perm=PER;Primorsky=PRI;Pskov=PSK;Rostov=ROS;Ryazan=RYA;
    Sakha=SA;Yakutia=SA;Sakhalin=SAK;Samara=SAM;Saratov=SAR;Smolensk=SMO;Stavropol=STA;Sverdlovsk=SVE;Tambov=TAM;
    Tatarstan=TA;Tomsk=TOM;Tula=TUL;Tuva=TY;Tver=TVE;Tyumen=TYU;Udmurtia=UD;Ulyanovsk=ULY;Vladimir=VLA;Volgograd=VGG;
    Vologda=VLG;Voronezh=VOR;Yamalo-Nenets=YAN;Yaroslavl=YAR;Zabaykalsky=ZAB`,
  TR: "Afyonkarahisar=03;İçel=33;Urfa=63",
  UA: `Kyiv=30;Kiev=30;Kyiv Oblast=32;Vinnytsia=05;Volyn=07;Donetsk=14;Zhytomyr=18;Zakarpattia=21;Zaporizhzhia=23;
    Ivano-Frankivsk=26;Kirovohrad=35;Luhansk=09;Mykolaiv=48;Odesa=51;Poltava=53;Rivne=56;Sevastopol=40;Sumy=59;Ternopil=61;
    Kherson=65;Khmelnytskyi=68;Cherkasy=71;Chernivtsi=77;Chernihiv=74`,
  US: `Washington DC=DC;D.C.=DC;Virgin Islands of the United States=VI;U.S. Virgin Islands=VI;Armed Forces Americas=AA;
    Armed Forces Europe=AE;Armed Forces Pacific=AP;Federated States of Micronesia=FM;Commonwealth of Puerto Rico=PR`,
  VE: "Distrito Capital=A;Caracas=A;La Guaira=X",
  VN: "Huế=26;Saigon=SG;Lạng Sơn=09;Ha Noi=HN;Hai Phong=HP",
};

function state(code: string, names: readonly [string, ...string[]], postalCodes?: RegExp): State {
  return { code, name: names[0], names, ...(postalCodes === undefined ? {} : { postalCodes }) };
}
