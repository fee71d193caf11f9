/**
 * Registrable domains that many businesses share: mail services, social networks, listing sites and site builders. A
 * page there says nothing of whose it is, so such a domain is no matching key and no site of the business's own.
 */
const sharedDomains = new Set(
  `
  gmail.com googlemail.com yahoo.com ymail.com rocketmail.com outlook.com hotmail.com live.com msn.com aol.com
  icloud.com me.com mac.com gmx.com gmx.de gmx.net web.de t-online.de mail.com mail.ru yandex.ru protonmail.com proton.me
  zoho.com comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net ameritech.net
  facebook.com fb.com fb.me instagram.com twitter.com x.com linkedin.com youtube.com youtu.be tiktok.com pinterest.com
  tumblr.com vk.com medium.com linktr.ee linktree.com beacons.ai whatsapp.com wa.me t.me
  yelp.com google.com goo.gl g.page business.site tripadvisor.com foursquare.com yellowpages.com whitepages.com bbb.org
  mapquest.com manta.com angi.com thumbtack.com opentable.com grubhub.com doordash.com ubereats.com untappd.com
  nextdoor.com etsy.com ebay.com amazon.com care.com
  wix.com wixsite.com wordpress.com weebly.com weeblysite.com squarespace.com square.site godaddysites.com
  blogspot.com blogger.com webs.com jimdo.com jimdosite.com jimdofree.com strikingly.com carrd.co webflow.io
  myshopify.com shopify.com bigcartel.com site123.me yolasite.com webnode.com tripod.com angelfire.com geocities.com
  homestead.com github.io gitlab.io netlify.app vercel.app pages.dev herokuapp.com web.app firebaseapp.com
  bit.ly tinyurl.com t.co ow.ly
  `
    .trim()
    .split(/\s+/),
);

/** Is this registrable domain, or the one that it stands under, shared by many businesses? */
export function isSharedDomain(domain: string): boolean {
  const labels = domain.toLowerCase().split(".");
  for (let from = 0; from < labels.length - 1; from++) {
    if (sharedDomains.has(labels.slice(from).join("."))) return true;
  }
  return false;
}
