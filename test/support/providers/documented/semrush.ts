/** The example of "Domain overview (one database)", https://developer.semrush.com/api/v3/analytics/overview-reports/ */
export const rankQuery = {
  type: "domain_rank",
  export_columns: "Dn,Rk,Or,Ot,Oc,Ad,At,Ac",
  domain: "seobook.com",
  database: "us",
};
export const rank = [
  "Domain;Rank;Organic Keywords;Organic Traffic;Organic Cost;Adwords Keywords;Adwords Traffic;Adwords Cost",
  "seobook.com;24041;5249;37332;143496;0;0;0",
];

/** The example of "Backlinks overview", https://developer.semrush.com/api/v3/analytics/backlinks/ */
export const linksQuery = {
  type: "backlinks_overview",
  target: "searchenginejournal.com",
  target_type: "root_domain",
  export_columns:
    "ascore,total,domains_num,urls_num,ips_num,ipclassc_num,follows_num,nofollows_num,sponsored_num,ugc_num,texts_num,images_num,forms_num,frames_num",
};
export const links = [
  "ascore;total;domains_num;urls_num;ips_num;ipclassc_num;follows_num;nofollows_num;sponsored_num;ugc_num;texts_num;images_num;forms_num;frames_num",
  "74;22063983;49145;13059030;47793;22956;20457307;1606307;258;1475;21784602;278624;437;320",
];

/**
 * Errors in their documented words, https://developer.semrush.com/api/v3/analytics/basic-docs/ (read in copies that others
 * made of it; their HTTP status is from reports of those who met them).
 */
export const errors = {
  action: 'ERROR 40 :: MANDATORY PARAMETER "action" NOT SET OR EMPTY',
  type: 'ERROR 41 :: MANDATORY PARAMETER "type" NOT SET OR EMPTY',
  domain: 'ERROR 42 :: MANDATORY PARAMETER "domain" NOT SET OR EMPTY',
  nothing: "ERROR 50 :: NOTHING FOUND",
  keyHash: "ERROR 70 :: API KEY HASH FAILURE",
  wrongKey: "ERROR 120 :: WRONG KEY - ID PAIR",
  emptyHash: "ERROR 121 :: WRONG FORMAT OR EMPTY HASH",
  emptyKey: "ERROR 122 :: WRONG FORMAT OR EMPTY KEY",
  disabled: "ERROR 130 :: API DISABLED",
  limit: "ERROR 131 :: LIMIT EXCEEDED",
  units: "ERROR 132 :: API UNITS BALANCE IS ZERO",
  database: "ERROR 133 :: DB ACCESS DENIED",
  totalLimit: "ERROR 134 :: TOTAL LIMIT EXCEEDED",
  report: "ERROR 135 :: API REPORT TYPE DISABLED",
};
