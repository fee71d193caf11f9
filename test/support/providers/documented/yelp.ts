/**
 * The example answer of https://docs.developer.yelp.com/reference/v3_business_search: a business that has closed for good.
 * Read in copies that others made of the page; they agree.
 */
export const searched = {
  businesses: [
    {
      alias: "golden-boy-pizza-hamburg",
      categories: [
        { alias: "pizza", title: "Pizza" },
        { alias: "food", title: "Food" },
      ],
      coordinates: { latitude: 41.7873382568359, longitude: -123.051551818848 },
      display_phone: "(415) 982-9738",
      distance: 4992.437696561071,
      id: "QPOI0dYeAl3U8iPM_IYWnA",
      image_url: "https://yelp-photos.yelpcorp.com/bphoto/b0mx7p6x9Z1ivb8yzaU3dg/o.jpg",
      is_closed: true,
      location: {
        address1: "James",
        address2: "Street",
        address3: "68M",
        city: "Los Angeles",
        country: "US",
        display_address: ["James", "Street", "68M", "Los Angeles, CA 22399"],
        state: "CA",
        zip_code: "22399",
      },
      name: "Golden Boy Pizza",
      phone: "+14159829738",
      price: "$",
      rating: 4,
      review_count: 903,
      transactions: ["restaurant_reservation"],
      url: "https://www.yelp.com/biz/golden-boy-pizza-hamburg?adjust_creative=XsIsNkqpLmHqfJ51zfRn3A&utm_campaign=yelp_api_v3&utm_medium=api_v3_business_search&utm_source=XsIsNkqpLmHqfJ51zfRn3A",
    },
  ],
  region: { center: { latitude: 37.76089938976322, longitude: -122.43644714355469 } },
  total: 6800,
};

/** The example of the page's first years, https://www.yelp.com/developers/documentation/v3/business_search: one that is open. */
export const searchedBefore = {
  total: 8228,
  businesses: [
    {
      rating: 4,
      price: "$",
      phone: "+14152520800",
      id: "four-barrel-coffee-san-francisco",
      is_closed: false,
      categories: [{ alias: "coffee", title: "Coffee & Tea" }],
      review_count: 1738,
      name: "Four Barrel Coffee",
      url: "https://www.yelp.com/biz/four-barrel-coffee-san-francisco",
      coordinates: { latitude: 37.7670169511878, longitude: -122.42184275 },
      image_url: "http://s3-media2.fl.yelpcdn.com/bphoto/MmgtASP3l_t4tPCL1iAsCg/o.jpg",
      location: {
        city: "San Francisco",
        country: "US",
        address2: "",
        address3: "",
        state: "CA",
        address1: "375 Valencia St",
        zip_code: "94103",
      },
      distance: 1604.23,
      transactions: ["pickup", "delivery"],
    },
  ],
  region: { center: { latitude: 37.767413217936834, longitude: -122.42820739746094 } },
};

const error = (code: string, description: string) => ({ error: { code, description } });

/** The errors of the same page, by its HTTP status; those of limits, https://docs.developer.yelp.com/docs/places-rate-limiting */
export const errors = {
  tokenMissing: error("TOKEN_MISSING", "An access token must be supplied in order to use this endpoint."),
  tokenInvalid: error("TOKEN_INVALID", "Invalid access token or authorization header."),
  locationNotFound: error("LOCATION_NOT_FOUND", "Could not execute search, try specifying a more exact location."),
  tooManyPerSecond: error(
    "TOO_MANY_REQUESTS_PER_SECOND",
    "You have exceeded the queries-per-second limit for this endpoint. Try reducing the rate at which you make queries.",
  ),
  accessLimit: error(
    "ACCESS_LIMIT_REACHED",
    "You've reached the access limit for this client. See instructions for requesting a higher access limit at https://www.yelp.com/developers/documentation/v3/rate_limiting",
  ),
  internal: error("INTERNAL_ERROR", "Something went wrong internally, please try again later."),
};
