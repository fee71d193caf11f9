/**
 * What the drafts say, by trade. A draft knows a business from a listing alone, so the words promise nothing that a
 * listing does not show: no years, awards, prices, hours, licences, people or services that it "offers". What it may
 * offer stands as something to ask about. `{name}` is the business, `{in}` is " in Chicago" where the city is known.
 */
export interface Trade {
  template: string;
  /** Matched against vertical and categories, then against the name. Whole words, since names are full of accidents. */
  words: RegExp;
  /** What such a business is called in a sentence. */
  kind: string;
  headline: string;
  tagline: string;
  callToAction: string;
  sections: { title: string; body: string; items?: string[] }[];
  /** Palettes that suit it; one is taken by the lead's id. */
  palettes: readonly string[];
}

const words = (...list: string[]) => new RegExp(`\\b(?:${list.join("|")})\\b`, "i");

export const trades: readonly Trade[] = [
  {
    template: "brewery",
    words: words(
      "brewer(?:y|ies)",
      "brewing",
      "brewpubs?",
      "microbrewer(?:y|ies)",
      "taprooms?",
      "cidery",
      "distillery",
      "winery",
    ),
    kind: "Brewery",
    headline: "Good beer is best where it is made.",
    tagline: "Find out what {name}{in} is pouring, and come by.",
    callToAction: "Plan a visit",
    sections: [
      {
        title: "Before you come by",
        body: "A short question now saves a trip later.",
        items: [
          "On tap: ask what is pouring now and what comes next.",
          "Groups: tell us how many you are and when you would like to come.",
          "Beer to go: ask what can be taken home.",
          "Getting here: ask for the best way, and where to park.",
        ],
      },
      {
        title: "Three steps to a good evening",
        body: "No account, no app. Just us and a glass.",
        items: [
          "Look: see where we are and what is around.",
          "Ask: call or write about anything you want to know first.",
          "Come by: bring people you like.",
        ],
      },
    ],
    palettes: ["amber", "forest", "slate"],
  },
  {
    template: "restaurant",
    words: words(
      "restaurants?",
      "caf[eé]s?",
      "coffee",
      "baker(?:y|ies)",
      "diner",
      "bistro",
      "pizzeria",
      "grill",
      "eatery",
      "bars?",
      "pub",
      "catering",
      "food",
    ),
    kind: "Restaurant",
    headline: "Come hungry.",
    tagline: "Everything you need before a visit to {name}{in}, on one page.",
    callToAction: "Ask for a table",
    sections: [
      {
        title: "What would you like to know?",
        body: "Just ask. Here is what guests like to know first.",
        items: [
          "Today's menu: ask what the kitchen is making.",
          "A table: tell us the day, the time and how many you are.",
          "Food to go: ask what travels well and when to fetch it.",
          "Allergies: tell us early, so that the kitchen can answer properly.",
        ],
      },
      {
        title: "How to get a table",
        body: "Talking to a person is still the easiest way.",
        items: [
          "Ask: tell us when you would like to come.",
          "Confirm: we tell you what is possible.",
          "Come by: and come hungry.",
        ],
      },
    ],
    palettes: ["clay", "amber", "forest"],
  },
  {
    template: "childcare",
    words: words(
      "child ?care",
      "day ?care",
      "preschools?",
      "pre ?k",
      "early (?:childhood|learning)",
      "nursery",
      "montessori",
      "head start",
      "kindergarten",
      "child (?:development|learning) cent(?:er|re)s?",
    ),
    kind: "Child care",
    headline: "A good place for small people.",
    tagline: "Meet {name}{in}. Look around, ask everything, and take your time to decide.",
    callToAction: "Arrange a visit",
    sections: [
      {
        title: "What parents like to ask",
        body: "Choosing a place for your child is a big decision. Ask us anything, these questions included.",
        items: [
          "A place for your child: ask about ages, groups and openings.",
          "The day: ask how mornings, meals, naps and play are arranged.",
          "Settling in: ask how the first days go, for children and for parents.",
          "Fees and help: ask what it costs and which support there is.",
        ],
      },
      {
        title: "How to get to know us",
        body: "The best way to find out whether a place is right is to stand in it.",
        items: [
          "Call or write: tell us about your child and what you need.",
          "Visit: see the rooms and meet the people.",
          "Decide: at home, without hurry.",
        ],
      },
    ],
    palettes: ["sky", "sun", "meadow"],
  },
  {
    template: "trades",
    words: words(
      "plumb(?:er|ers|ing)",
      "roof(?:er|ers|ing)",
      "hvac",
      "heating",
      "cooling",
      "air conditioning",
      "electric(?:al|ian|ians)?",
      "contractors?",
      "construction",
      "remodel(?:ing|ling|er)",
      "landscap(?:e|er|ers|ing)",
      "painting",
      "painters?",
      "handyman",
      "home services?",
      "pest control",
      "cleaning",
      "carpentry",
      "trades?",
      "flooring",
      "garage doors?",
      "locksmiths?",
    ),
    kind: "Local trade",
    headline: "Something needs fixing? Start here.",
    tagline: "Tell {name}{in} what is wrong, and hear what can be done.",
    callToAction: "Tell us about your job",
    sections: [
      {
        title: "Tell us about the job",
        body: "A few details at the start save a visit later.",
        items: [
          "What: describe what is broken, or what you would like built.",
          "Where: the address, and how to get to the place.",
          "When: how urgent it is, and when someone is at home.",
          "Pictures: a photo or two often says it all. Send them by e-mail.",
        ],
      },
      {
        title: "How it goes",
        body: "Plain steps, so that you know where you stand.",
        items: [
          "Call or write: describe the job in your own words.",
          "Talk it over: ask what it takes, what it costs and when it can be done.",
          "Decide: when you know what you need to know.",
        ],
      },
    ],
    palettes: ["navy", "slate", "clay"],
  },
  {
    template: "health",
    words: words(
      "dent(?:al|ist|ists|istry)",
      "orthodont\\w*",
      "doctors?",
      "clinics?",
      "chiropract\\w*",
      "medical",
      "health(?: ?care)?",
      "physical therapy",
      "physicians?",
      "optometr\\w*",
      "veterinar\\w*",
      "vets?",
      "pediatric\\w*",
      "pharmacy",
      "counsel(?:ing|ling|or)",
      "therap(?:y|ist|ists)",
    ),
    kind: "Health",
    headline: "Good care starts with a good talk.",
    tagline: "Reach {name}{in} easily, and know what to bring before you come.",
    callToAction: "Ask for an appointment",
    sections: [
      {
        title: "Before your first visit",
        body: "A few words ahead make the first visit easier.",
        items: [
          "Appointments: tell us what it is about and which days suit you.",
          "New patients: ask what to bring and how long to plan.",
          "Insurance and payment: ask which plans are taken and what it costs.",
          "Getting here: ask about parking, steps and lifts.",
        ],
      },
      {
        title: "How to get an appointment",
        body: "In an emergency, call your local emergency number.",
        items: [
          "Ask: tell us briefly what you need.",
          "Choose: a day and time that suits you.",
          "Come: with your questions written down.",
        ],
      },
    ],
    palettes: ["teal", "sky", "meadow"],
  },
  {
    template: "legal",
    words: words(
      "law",
      "lawyers?",
      "attorneys?",
      "legal",
      "law firms?",
      "notary",
      "account(?:ant|ants|ing)",
      "tax(?:es)?",
      "insurance",
      "financial",
    ),
    kind: "Professional services",
    headline: "Clear answers to hard questions.",
    tagline: "Tell {name}{in} what you are facing, and find out where you stand.",
    callToAction: "Ask for a first talk",
    sections: [
      {
        title: "What to have at hand",
        body: "The better the first talk is prepared, the more it brings you.",
        items: [
          "Your matter: what happened, in order, in a few lines.",
          "Dates: deadlines and letters, the newest first.",
          "Papers: contracts and notices that belong to it.",
          "Your goal: what a good end would look like to you.",
        ],
      },
      {
        title: "How we begin",
        body: "Writing to us does not yet make you a client, and please send nothing confidential before we have spoken.",
        items: [
          "Reach out: call or write in two sentences what it is about.",
          "First talk: ask how it would be handled and what it would cost.",
          "Decide: nothing begins before you say so.",
        ],
      },
    ],
    palettes: ["navy", "slate", "forest"],
  },
  {
    template: "auto",
    words: words(
      "auto(?:motive)?",
      "auto repair",
      "car (?:repair|wash|dealer|care)",
      "mechanics?",
      "tires?",
      "body shop",
      "garage",
      "towing",
      "motors?",
    ),
    kind: "Auto",
    headline: "Back on the road, without the runaround.",
    tagline: "Tell {name}{in} what your car is doing, and plan the next step.",
    callToAction: "Ask the shop",
    sections: [
      {
        title: "What helps us help you",
        body: "You need not know what is wrong. Just tell us what you notice.",
        items: [
          "The car: make, model, year and mileage.",
          "The trouble: what you hear, see, smell or feel, and when.",
          "Warning lights: which ones are on, and since when.",
          "Your plans: when you need the car back.",
        ],
      },
      {
        title: "How it goes",
        body: "Ask for the price before the work begins.",
        items: [
          "Ask: describe what the car does.",
          "Bring it in: at the time we agree on.",
          "Decide: when you know what it needs.",
        ],
      },
    ],
    palettes: ["slate", "clay", "navy"],
  },
  {
    template: "beauty",
    words: words(
      "beauty",
      "hair",
      "salons?",
      "barbers?",
      "barbershop",
      "nails?",
      "spas?",
      "med spa",
      "skin care",
      "massage",
      "tattoo",
      "cosmetics?",
    ),
    kind: "Beauty",
    headline: "An hour that is only yours.",
    tagline: "Find {name}{in}, ask for a time, and look forward to it.",
    callToAction: "Ask for an appointment",
    sections: [
      {
        title: "Tell us what you have in mind",
        body: "A picture, an idea, or no idea at all: each is a good start.",
        items: [
          "Your wish: describe it, or bring a picture.",
          "Your time: the days and hours that suit you.",
          "Allergies: tell us what your skin does not like.",
          "First visit: ask what it costs and how long to plan.",
        ],
      },
      {
        title: "How to book",
        body: "A short call or message is all it takes.",
        items: ["Ask: tell us what you would like.", "Agree: on a day and time.", "Enjoy: lean back."],
      },
    ],
    palettes: ["rose", "clay", "teal"],
  },
  {
    template: "fitness",
    words: words(
      "fitness",
      "gyms?",
      "yoga",
      "pilates",
      "crossfit",
      "martial arts",
      "dance",
      "personal train(?:er|ing)",
      "sports?",
      "boxing",
    ),
    kind: "Fitness",
    headline: "The first step is a short one.",
    tagline: "Come and see {name}{in}. Beginners ask the best questions.",
    callToAction: "Ask for a first visit",
    sections: [
      {
        title: "Good questions to start with",
        body: "Wherever you start from, ask what suits you.",
        items: [
          "Where to begin: tell us what you have done before, if anything.",
          "Times: ask when it is quiet and when it is lively.",
          "Prices: ask what it costs, and how to stop.",
          "Health: tell us what we should know about.",
        ],
      },
      {
        title: "How to start",
        body: "No contest, no audience.",
        items: ["Say hello: call or write.", "Look around: see the place for yourself.", "Begin: at your own pace."],
      },
    ],
    palettes: ["slate", "sun", "navy"],
  },
  {
    template: "retail",
    words: words(
      "retail",
      "shops?",
      "stores?",
      "boutique",
      "florists?",
      "flowers",
      "jewel(?:er|ers|ry)",
      "books?",
      "bookstore",
      "furniture",
      "grocery",
      "market",
      "hardware",
      "gifts?",
      "toys?",
    ),
    kind: "Shop",
    headline: "Worth coming in for.",
    tagline: "Find {name}{in}, ask what is in, and come and see it.",
    callToAction: "Ask what is in",
    sections: [
      {
        title: "Ask before you come",
        body: "Save yourself a trip: one short question tells you.",
        items: [
          "In the shop: ask whether it is there today.",
          "To order: ask what can be ordered, and how long it takes.",
          "A present: tell us for whom, and ask for ideas.",
          "Getting here: ask for the best way, and where to park.",
        ],
      },
      {
        title: "How to find it",
        body: "Some things are better seen and touched.",
        items: ["Ask: call or write.", "Come by: see it for yourself.", "Take it home: or think it over."],
      },
    ],
    palettes: ["rose", "meadow", "amber"],
  },
];

/** Where no trade is known. */
export const anyTrade: Trade = {
  template: "business",
  words: /$^/,
  kind: "Local business",
  headline: "Here for you, close by.",
  tagline: "Everything you need to reach {name}{in}, on one page.",
  callToAction: "Get in touch",
  sections: [
    {
      title: "How can we help?",
      body: "Tell us what you need, and we will tell you what we can do.",
      items: [
        "A question: ask it, however small.",
        "A price: describe what you need, and ask what it costs.",
        "A time: tell us which days and hours suit you.",
        "Getting here: ask for the best way, and where to park.",
      ],
    },
    {
      title: "How it goes",
      body: "Three plain steps.",
      items: ["Get in touch: call, write or come by.", "Talk: say what you need.", "Decide: when you know enough."],
    },
  ],
  palettes: ["navy", "teal", "forest"],
};
