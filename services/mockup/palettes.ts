export interface Palette {
  /** Text. */
  ink: string;
  /** Text that may stand back; 4.5 : 1 or more on `paper` and on `tint`. */
  muted: string;
  paper: string;
  /** Behind every other band. */
  tint: string;
  /** Buttons and the foot; white on it has 4.5 : 1 or more. */
  brand: string;
  /** The dark end of the opening picture. */
  deep: string;
  /** Decoration alone, never text. */
  accent: string;
}

/** Contrast is WCAG 2.2 AA; a test computes it for every palette. */
export const palettes: Readonly<Record<string, Palette>> = {
  amber: {
    ink: "#2a1c0c",
    muted: "#6b5842",
    paper: "#fffdf9",
    tint: "#faf1e1",
    brand: "#9a4f08",
    deep: "#4a2506",
    accent: "#f2b53c",
  },
  forest: {
    ink: "#14231b",
    muted: "#4c6155",
    paper: "#fcfefc",
    tint: "#eaf3ec",
    brand: "#1f6b44",
    deep: "#0e3a25",
    accent: "#9ed36a",
  },
  slate: {
    ink: "#171d26",
    muted: "#536071",
    paper: "#fdfdfe",
    tint: "#eef1f5",
    brand: "#36495f",
    deep: "#1a2533",
    accent: "#f0a04b",
  },
  clay: {
    ink: "#2b1712",
    muted: "#705046",
    paper: "#fffcfa",
    tint: "#f9ece6",
    brand: "#a63d22",
    deep: "#531c10",
    accent: "#f3b391",
  },
  sky: {
    ink: "#10222f",
    muted: "#4b6172",
    paper: "#fcfeff",
    tint: "#e8f3fa",
    brand: "#1368a0",
    deep: "#0b3a5c",
    accent: "#ffcf5c",
  },
  sun: {
    ink: "#2a1f10",
    muted: "#695a41",
    paper: "#fffdf8",
    tint: "#fdf3d9",
    brand: "#a4480f",
    deep: "#5a2a0a",
    accent: "#ffc93d",
  },
  meadow: {
    ink: "#18240f",
    muted: "#54634a",
    paper: "#fdfefb",
    tint: "#eff5e4",
    brand: "#44702a",
    deep: "#254016",
    accent: "#f4cf52",
  },
  navy: {
    ink: "#101a2c",
    muted: "#4d5b74",
    paper: "#fcfdff",
    tint: "#eaeff8",
    brand: "#1f4486",
    deep: "#0f2348",
    accent: "#f5b83d",
  },
  teal: {
    ink: "#0d2424",
    muted: "#476161",
    paper: "#fbfefe",
    tint: "#e4f3f2",
    brand: "#0f6a6a",
    deep: "#073c3e",
    accent: "#ffc27a",
  },
  rose: {
    ink: "#2b1420",
    muted: "#6d4e5e",
    paper: "#fffcfd",
    tint: "#fbebf1",
    brand: "#a12f5f",
    deep: "#521430",
    accent: "#f6b8a0",
  },
};

export const paletteOf = (name: string): Palette =>
  Object.hasOwn(palettes, name) ? palettes[name]! : palettes["navy"]!;
